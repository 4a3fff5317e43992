"""Addresses, of Hubs and of all else, what of them may be shown, and a quiet client."""

from __future__ import annotations

import hashlib
import os
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

    It will stand in records that are pushed, and in the environment of other programs.
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
    except ValueError:  # whatever it is, what stands before an @ may be a password
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
