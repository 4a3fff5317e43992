"""One module a stage: a function from pinned inputs to one artifact on the Hub."""
