"""Clients that never come to an end take no place from others, nor keep it for long."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from urllib.parse import urlsplit

import pytest

FILES = 256
CROWD = 300


@pytest.fixture(scope="module")
def small_hub(start, tmp_path_factory) -> Iterator:
    """A Hub that may have few files and connections open."""
    with start(tmp_path_factory.mktemp("small"), files=FILES) as found:
        yield found


def crowd(hub, opened: ExitStack, sent: bytes, size: int = CROWD) -> list[socket.socket]:
    """Open connections, and send the same on each."""
    address = (urlsplit(hub.url).hostname, urlsplit(hub.url).port)
    sockets = []
    for _ in range(size):
        one = opened.enter_context(closing(socket.create_connection(address, timeout=5)))
        try:
            one.sendall(sent)
        except OSError:  # it was ended already
            continue
        sockets.append(one)
    return sockets


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        while connection.recv(4096):
            pass
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def answered(hub, times: int = 10) -> None:
    """Ask as alice, on a new connection each time."""
    for _ in range(times):
        with closing(hub.client("alice", timeout=5)) as client:
            assert client.get("/api/whoami-v2").json()["name"] == "alice"


HEAD = b"GET /api/models HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
BODY = b"POST /api/validate-yaml HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n{"


@pytest.mark.parametrize("sent", [HEAD, b"", b"\r\n", BODY], ids=["heads", "silence", "empty-lines", "bodies"])
def test_a_crowd_that_waits_leaves_room_for_others(small_hub, sent):
    with ExitStack() as opened:
        crowd(small_hub, opened, sent)
        answered(small_hub)


def test_a_head_that_does_not_end_is_ended(small_hub):
    with ExitStack() as opened:
        sockets = (
            crowd(small_hub, opened, HEAD, 8) + crowd(small_hub, opened, b"", 4) + crowd(small_hub, opened, b"\r\n", 4)
        )
        until = time.monotonic() + 20
        while any(is_open(one) for one in sockets) and time.monotonic() < until:
            for one in sockets[:6]:  # a byte now and then does not help
                with suppress(OSError):
                    one.send(b"x")
            time.sleep(0.5)
        assert not any(is_open(one) for one in sockets)
    answered(small_hub, 1)
