"""Addresses of Hubs and endpoints: checks, what may be shown of them, proxies, and a quiet client.

What the harness has opened itself (the embedded Hub, an engine) gets tokens and prompts, which a proxy must not see.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
from importlib.util import find_spec
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from harness.errors import UsageError
from harness.secrets import learn_address

DEFAULT_ENDPOINT = "https://huggingface.co"
EMBEDDED = "embedded"
_TOKEN_PATH = "HF_TOKEN_PATH"  # noqa: S105 -- a variable's name


def check_address(address: str, source: str) -> None:
    """Raise UsageError where `address`, which `source` gave, is no http address; credentials in it become secrets."""
    learn_address(address)
    try:
        parts = urlsplit(address)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an IPv6 address in them, a port out of range
        valid = False
    if not valid or any(character.isspace() for character in address):
        raise UsageError(
            f"{source} is {public_address(address)!r}, which is no address; expected https://host or http://host:port"
        )


def check_bare_address(address: str, source: str, advice: str) -> None:
    """Raise UsageError as `check_address`, and where there is more to an address than host and path.

    It will be in records that are pushed, and in the environment of other programs.
    """
    check_address(address, source)
    if public_address(address) != address:
        raise UsageError(f"{source} has credentials or a query; give {public_address(address)} alone: {advice}")


def stored_token(endpoint: str) -> Literal[False] | None:
    """Return what a client takes for "the token that is stored here", None, or for "no token", False.

    What `hf auth login` has stored is for huggingface.co, or for the HF_ENDPOINT of the environment. For any other
    endpoint the libraries that read it themselves do not find it either, in this process and its children.
    """
    usual = os.environ.get("HF_ENDPOINT", DEFAULT_ENDPOINT).rstrip("/")
    if endpoint in (DEFAULT_ENDPOINT, usual) and os.environ.get(_TOKEN_PATH) != os.devnull:
        return None
    os.environ[_TOKEN_PATH] = os.devnull
    return False


def public_address(address: str) -> str:
    """Return an address without user, password, query and fragment; one that has none of them stays as it is."""
    try:
        parts = urlsplit(address)
    except ValueError:  # malformed: what stands before an @ may be a password
        return address.rpartition("@")[2].partition("?")[0]
    host = parts.netloc.rpartition("@")[2]
    if host == parts.netloc and not parts.query and not parts.fragment:
        return address if parts.netloc else address.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def hashed_address(address: str) -> str:
    """Return what tells an address from others, without its secrets: of a query the SHA-256, of credentials nothing."""
    query = urlsplit(address).query
    return public_address(address) + (f"?{hashlib.sha256(query.encode()).hexdigest()}" if query else "")


def quiet() -> None:
    """Keep the client silent: no bars beside ours (see `transfers`), no remarks on what we do on purpose."""
    import logging
    import warnings

    from huggingface_hub.utils.tqdm import disable_progress_bars

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="Warnings while validating metadata", module="huggingface_hub")
    disable_progress_bars()


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
