"""Which Hub is meant: its address, the embedded one for the time of a block, and how quiet its client is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.errors import HubError, UsageError

if TYPE_CHECKING:
    from harness.hub import Hub

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


@contextmanager
def connected(hub: str | None) -> Iterator[Hub]:
    """Connect to the Hub that `--hub` names: a URL, None for HF_ENDPOINT, or `embedded`.

    `embedded` starts a Hub on the default folder of `tft hub serve` and stops it at the end of the block.
    """
    from harness.hub import Hub

    if hub != EMBEDDED:
        yield Hub.connect(hub)
        return
    from harness.hubd.embedded import running
    from harness.hubd.errors import HubStartError
    from harness.hubd.root import default_root

    try:
        with running(default_root()) as embedded:
            os.environ["HF_TOKEN"] = embedded.token
            yield Hub.connect(embedded.url)
    except HubStartError as error:
        raise HubError(f"the embedded Hub did not start: {error}") from error
