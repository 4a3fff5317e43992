"""Which Hub: its address, and a quiet client."""

from __future__ import annotations

from urllib.parse import urlsplit

from harness.errors import UsageError

DEFAULT_ENDPOINT = "https://huggingface.co"
EMBEDDED = "embedded"


def check_address(address: str, source: str) -> None:
    """Raise UsageError where `address`, which `source` gave, is no http address."""
    try:
        parts = urlsplit(address)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an IPv6 address in them, a port out of range
        valid = False
    if not valid or any(character.isspace() for character in address):
        raise UsageError(f"{source} is {address!r}, which is no address; expected https://host or http://host:port")


def quiet() -> None:
    """Keep the client's own output for a person who waits: no bars into logs, no remarks on what we do on purpose."""
    import logging
    import sys
    import warnings

    from huggingface_hub.utils.tqdm import disable_progress_bars

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="Warnings while validating metadata", module="huggingface_hub")
    if not sys.stderr.isatty():
        disable_progress_bars()


def without_bars() -> None:
    """Keep the library's bars away where many small files are read, and there is a bar for all of it."""
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
