"""Proxies of the environment: never for addresses of this machine, and a sentence where one cannot be used.

What the harness has opened itself (the embedded Hub, an engine) gets tokens and prompts, which a proxy must not see.
"""

from __future__ import annotations

import ipaddress
import os
from importlib.util import find_spec
from urllib.parse import urlsplit

_NAMES = ("no_proxy", "NO_PROXY")
_HOSTS = ("127.0.0.1", "localhost", "::1")
_KINDS = ("http_proxy", "https_proxy", "all_proxy")
_SOCKS = ("socks5", "socks5h")


def is_loopback(address: str) -> bool:
    """Whether an address is one of this machine, which nothing outside it can have."""
    host = (urlsplit(address).hostname or "").rstrip(".")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def keep_from_proxies(address: str) -> bool:
    """Have this process and those that it starts ask loopback addresses directly; whether `address` is one.

    By the variables that all clients and their children read, and before the first of them is made. Without a proxy in
    the environment nothing is set: a system's own settings would no longer be looked at.
    """
    local = is_loopback(address)
    if not any(_proxies()):
        return local
    hosts = [*_HOSTS, *([urlsplit(address).hostname or ""] if local else [])]
    said = [os.environ.get(name, "") for name in _NAMES]
    for name, own, other in zip(_NAMES, said, reversed(said), strict=True):
        entries = [entry.strip() for entry in (own or other).split(",") if entry.strip()]
        if "*" not in entries:
            os.environ[name] = ",".join([*entries, *(host for host in dict.fromkeys(hosts) if host not in entries)])
    return local


def proxy_problem() -> str | None:
    """Return why the environment's proxies cannot be used, as a sentence; None where they can, or there are none."""
    for name, value in _proxies():
        scheme = urlsplit(value if "://" in value else f"http://{value}").scheme
        if scheme in _SOCKS and find_spec("socksio") is None:
            return (
                f"{name} names a SOCKS proxy, and the library for those is not installed; run `pip install socksio`, "
                "or set another kind of proxy"
            )
        if scheme not in ("http", "https", *_SOCKS):
            return f"{name} names a proxy of the kind {scheme!r}, which is not known; expected http, https or socks5"
    return None


def _proxies() -> list[tuple[str, str]]:
    """Return the variables that name a proxy; `NO_PROXY=*` switches all of them off."""
    if any("*" in os.environ.get(name, "").split(",") for name in _NAMES):
        return []
    found = {name.lower(): (name, value) for name, value in os.environ.items() if name.lower() in _KINDS and value}
    return list(found.values())


def without_proxies(endpoint: str) -> None:
    """Have the Hub's client ask an `endpoint` of this machine directly, whatever proxies there are."""
    if keep_from_proxies(endpoint) and proxy_problem():  # the client cannot be made with such a proxy
        import httpx2
        from huggingface_hub import set_client_factory

        set_client_factory(lambda: httpx2.Client(follow_redirects=True, timeout=None, trust_env=False))
