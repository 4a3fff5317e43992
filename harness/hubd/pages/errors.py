"""Refusals as pages, for browsers only: API clients get the JSON they know."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import Response

from ..errors import Refused
from .view import render

_NOT_PAGES = ("/api/", "/lfs/", "/xet/")
_TITLES = {400: "That did not work", 401: "Please sign in", 403: "Not allowed", 404: "Not found", 413: "Too much"}
NOTHING_HERE = "This Hub has no such endpoint."
_UNKNOWN = "There is nothing at this address, or it is private. If it may be private, sign in."


def wants_page(headers: Headers, raw_path: str) -> bool:
    """Return whether a browser asks for a page, rather than a client for the API or a file."""
    if raw_path.startswith(_NOT_PAGES) or "/resolve/" in raw_path or "/raw/" in raw_path:
        return False
    return "text/html" in headers.get("accept", "") and "authorization" not in headers


def error_page(error: Refused, here: str) -> Response:
    """Return a refusal of the address `here` as a page; to strangers, what is private does not exist."""
    unknown = error.code == "RepoNotFound" or error.message == NOTHING_HERE
    status = 404 if unknown else error.status
    message = _UNKNOWN if unknown else error.message
    response = render(
        "error", status=status, user=None, here=here, title=_TITLES.get(status, "That did not work"), message=message,
        sign_in=unknown or status == 401, code=status,
    )  # fmt: skip
    response.headers.update({key: value for key, value in error.all_headers().items() if not unknown})
    return response
