"""Which Hub is meant: its address, the embedded one for the time of a block, and how quiet its client is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.errors import HubError
from harness.hub.address import EMBEDDED

if TYPE_CHECKING:
    from harness.hub.client import Hub


@contextmanager
def connected(hub: str | None) -> Iterator[Hub]:
    """Connect to the Hub that `--hub` names: a URL, None for HF_ENDPOINT, or `embedded`.

    `embedded` starts a Hub on the default folder of `tft hub serve` and stops it at the end of the block.
    """
    from harness.hub.client import Hub

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
