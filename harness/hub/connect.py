"""Connect to a Hub, or to two, and to the embedded one: only `local_http.py` names `harness.hubd` too."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import HubError, UsageError
from harness.hub.address import DEFAULT_ENDPOINT, EMBEDDED, check_bare_address
from harness.secrets import learn

if TYPE_CHECKING:
    from harness.hub.client import Hub
    from harness.hubd.embedded import EmbeddedHub
    from harness.hubd.storage.gc import Collected
    from harness.hubd.storage.verify import Report

_SOURCE_TOKEN, _TARGET_TOKEN = "TFT_FROM_TOKEN", "HF_TOKEN"


@contextmanager
def connected(hub: str | None) -> Iterator[Hub]:
    """Connect to the Hub that `--hub` names: a URL, None for HF_ENDPOINT, or `embedded`.

    `embedded` starts a Hub on the default folder of `tft hub serve` and stops it at the end of the block.
    """
    from harness.hub.client import Hub

    if hub != EMBEDDED:
        yield Hub.connect(hub)
        return
    with started("the embedded Hub") as embedded:
        os.environ["HF_TOKEN"] = embedded.token
        yield Hub.connect(embedded.url)


@contextmanager
def connect_both(source: str, target: str) -> Iterator[tuple[Hub, Hub]]:
    """Connect to two Hubs, each a URL or `embedded` (started for the block, with its own token).

    The token of the source is TFT_FROM_TOKEN, none where that is not set; the target's is HF_TOKEN. Neither is ever
    sent to the other. Raises UsageError where both are the same Hub.
    """
    with _opened(source, "--from", _SOURCE_TOKEN) as first:
        if source == target or first.endpoint == target.rstrip("/"):
            raise UsageError(f"--from and --to are the same Hub, {first.endpoint}; give two")
        with _opened(target, "--to", _TARGET_TOKEN) as second:
            yield first, second


@contextmanager
def _opened(address: str, option: str, variable: str) -> Iterator[Hub]:
    from harness.hub.client import Hub

    # The shared cache knows repositories by their names only: two Hubs may use one name for two things.
    with tempfile.TemporaryDirectory(prefix="tft-promote-") as name:
        if address == EMBEDDED:
            with started(f"the embedded Hub of {option}") as embedded:
                learn(embedded.token, f"the token of {option}")
                yield Hub(embedded.url, embedded.token, token_from=variable, cache=Path(name))
            return
        endpoint = address.rstrip("/")
        check_bare_address(endpoint, option, f"a token belongs into {variable}")
        # What `hf auth login` has stored is for huggingface.co alone. Elsewhere False and not None: the
        # library would take HF_TOKEN, which may be the other Hub's.
        stored: Literal[False] | None = None if variable == _TARGET_TOKEN and endpoint == DEFAULT_ENDPOINT else False
        yield Hub(endpoint, os.environ.get(variable) or stored, token_from=variable, cache=Path(name))


@contextmanager
def started(what: str, root: Path | None = None, *, port: int = 0) -> Iterator[EmbeddedHub]:
    """Run a Hub on a folder, by default that of `tft hub serve`, for the block; port 0 takes a free one.

    HubError, which begins with `what`, where it does not start.
    """
    from harness.hubd.embedded import running
    from harness.hubd.errors import HubStartError
    from harness.hubd.root import default_root

    try:
        with running(root or default_root(), port=port) as embedded:
            yield embedded
    except HubStartError as error:
        advice = "" if root else "; where one is running, give its address"
        raise HubError(f"{what} did not start: {str(error).rstrip('.')}{advice}") from error


def usual_port() -> int:
    """Return the port of `tft hub serve`, to which links in cards lead; 0 where it is taken."""
    import socket

    from harness.hubd.server.serve import DEFAULT_PORT

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DEFAULT_PORT))
        except OSError:
            return 0
    return DEFAULT_PORT


def serve(say: Callable[[str], None], **settings: Any) -> None:
    """Serve a Hub until Ctrl-C, with the `Settings` of `harness.hubd.server.serve`; `say` gets the lines for stdout."""
    from harness.hubd.server.serve import Settings, serve

    with _usable_folder():
        serve(Settings(**settings), say)


def verify(root: Path | None) -> Report:
    """Return what is wrong with the folder of a Hub, by default that of `tft hub serve`; changes nothing."""
    from harness.hubd.root import default_root, existing_root
    from harness.hubd.storage.verify import verify

    with _usable_folder():
        return verify(existing_root(root or default_root(), locked=False))


def collect_garbage(root: Path | None, *, grace: float) -> Collected:
    """Free what nothing in the folder of a Hub leads to and is older than `grace` seconds."""
    from harness.hubd.root import default_root
    from harness.hubd.storage.gc import collect

    with _usable_folder():
        return collect(root or default_root(), grace=grace)


@contextmanager
def _usable_folder() -> Iterator[None]:
    """Raise UsageError where the embedded Hub cannot work with what the caller has given."""
    from harness.hubd.errors import HubStartError

    try:
        yield
    except HubStartError as error:
        raise UsageError(str(error)) from error
