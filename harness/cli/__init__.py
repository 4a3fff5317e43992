"""One module a verb of `tft`; each defines `command` and imports only click at its top."""
