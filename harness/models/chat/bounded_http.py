"""The HTTP client of endpoints: bounded bodies, no compression, no redirects."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

MOST_BYTES = 16 << 20
"""Of one body: the longest answers of models have a hundredth of that."""


class RefusedBodyError(Exception):
    """A body that is not read on; the text says why."""


def bounded_client(*, trust_env: bool = True) -> Any:
    """Return a client for `openai` that reads no more of a body than MOST_BYTES.

    A body that is larger, or packed although none was asked for, raises RefusedBodyError where it is read. A redirect
    is an answer like any other: prompts go to the address that was named and to no other. Time is for whoever asks
    (`asyncio.timeout` around the whole of a request); heads of more than 100 KiB are refused by the library itself.
    """
    from openai import DefaultAsyncHttpxClient

    return DefaultAsyncHttpxClient(
        trust_env=trust_env,
        follow_redirects=False,
        event_hooks={"request": [_ask_for_plain], "response": [_bound]},
    )


async def _ask_for_plain(request: Any) -> None:
    request.headers["accept-encoding"] = "identity"


async def _bound(response: Any) -> None:
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise RefusedBodyError("the endpoint sent a packed body, which was not asked for")
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > MOST_BYTES:
        raise RefusedBodyError(_TOO_LARGE)
    response.stream = _bounded_stream()(response.stream)


_TOO_LARGE = f"the endpoint sent more than {MOST_BYTES >> 20} MiB, which no answer has"


@cache
def _bounded_stream() -> type[Any]:
    """Return the class of a body that counts its bytes, of the HTTP library that the installed `openai` rests on."""
    from openai import DefaultAsyncHttpxClient

    library = sys.modules[DefaultAsyncHttpxClient.__mro__[1].__module__.partition(".")[0]]

    class BoundedStream(library.AsyncByteStream):  # type: ignore[misc, name-defined]
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for piece in self._inner:
                size += len(piece)
                if size > MOST_BYTES:
                    raise RefusedBodyError(_TOO_LARGE)
                yield piece

        async def aclose(self) -> None:
            await self._inner.aclose()

    return BoundedStream
