"""The HTTP client of the Hub's library: no proxies on this machine; lists stay on their Hub, and end."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.hub.address import keep_from_proxies, proxy_problem

if TYPE_CHECKING:
    import httpx2

MOST_PAGES = 1_000
"""Of one list. A page of files has a thousand."""


def use_own_client(endpoint: str) -> None:
    """Have the Hub's library ask `endpoint` with `_client`, and directly where it is this machine."""
    _install(trust_env=True)
    if keep_from_proxies(endpoint) and proxy_problem():  # no client can be made with such a proxy
        _install(trust_env=False)


@cache
def _install(*, trust_env: bool) -> None:
    """Exchange the library's client, once: that closes the connections of the one before."""
    from huggingface_hub import set_client_factory

    set_client_factory(partial(_client, trust_env=trust_env))


def _client(*, trust_env: bool) -> httpx2.Client:
    """Make the library's client, which checks the links to further pages in answers.

    The library follows these links with the token, wherever they lead.
    """
    import httpx2
    from huggingface_hub.utils._http import hf_request_event_hook  # what the library's own client has; offline mode

    pages = 0

    def check_next_page(response: httpx2.Response) -> None:
        nonlocal pages
        following = response.links.get("next", {}).get("url")
        pages = pages + 1 if following else 0
        if following is None:
            return
        if "authorization" in response.request.headers and _origin(following) != _origin(str(response.url)):
            raise httpx2.RequestError(
                "the next page of a list is to come from another server", request=response.request
            )
        if pages >= MOST_PAGES:
            raise httpx2.RequestError(f"a list has more than {MOST_PAGES:,} pages", request=response.request)

    return httpx2.Client(
        event_hooks={"request": [hf_request_event_hook], "response": [check_next_page]},
        follow_redirects=True,
        timeout=None,
        trust_env=trust_env,
    )


def _origin(address: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port, with the scheme's usual port where none is named."""
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
