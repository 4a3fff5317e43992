"""Which host names this Hub answers to, and which web pages may ask: a browser acts for the author of its page.

A page of another site can make a browser send requests here, and by changing what its own name resolves to (DNS
rebinding) it can even read the answers. Both show in the headers.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from ..errors import Refused

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?")
OWN_PAGES = "open this Hub's own pages instead"
_READING = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The names that a request may ask for, without ports: those may be forwarded ones.

    `numbers`: any IP address will do. No page can come from one that is not this Hub's.
    """

    names: frozenset[str]
    numbers: bool
    public: frozenset[str] = frozenset()

    @classmethod
    def of(cls, bound: str, allowed: Iterable[str]) -> Hosts:
        """Return the names for a Hub that listens on `bound`, with those `allowed` besides."""
        public = frozenset(map(_plain, allowed))
        own = {*LOOPBACK, _plain(bound), *public}
        elsewhere = not _is_loopback(bound)
        return cls(
            names=frozenset(own | {_plain(socket.gethostname())} if elsewhere else own),
            numbers=elsewhere,
            public=public,
        )

    def knows(self, name: str) -> bool:
        """Return whether a request may ask for that name."""
        return name in self.names or (self.numbers and _is_number(name))


def checked_host(headers: Headers, hosts: Hosts | None, server: str = "Hub") -> str:
    """Return the Host that is asked for, with its port; raises Refused (400 or 421), which names the kind of server."""
    found = headers.getlist("host") or ["localhost"]
    parts = _HOST.fullmatch(found[0]) if len(found) == 1 else None
    if parts is None:
        raise Refused(400, "The request needs one valid Host header.")
    name = _plain(parts[1] or parts[2])
    if hosts is not None and not hosts.knows(name):
        shown = name[:100]
        raise Refused(
            421,
            f"This {server} does not go by the name {shown}; start it with --allow-host {shown} if it should.",
            code="MisdirectedRequest",
        )
    return found[0]


def check_site(method: str, headers: Headers, host: str, hosts: Hosts | None, advice: str = OWN_PAGES) -> None:
    """Raise Refused (403) if a page of another site has a browser send a request that changes something."""
    if method in _READING:
        return
    origin = headers.get("origin")
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") or (
        origin and not _same(origin, host, hosts)
    ):
        raise Refused(403, f"A page of another site sent this request; {advice}.")


def _same(origin: str, host: str, hosts: Hosts | None) -> bool:
    try:
        parts = urlsplit(origin)
        name = parts.hostname or ""
    except ValueError:
        return False
    # Behind a proxy the page's name may be another one than the proxy asks for.
    return parts.netloc.lower() == host.lower() or (hosts is not None and _plain(name) in hosts.public)


def _plain(name: str) -> str:
    return name.strip("[]").rstrip(".").lower()


def _is_number(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return name == "localhost" or (_is_number(name) and ip_address(name).is_loopback)
