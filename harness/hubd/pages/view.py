"""Templates to answers: what every page shares, and how names, sizes and dates are shown."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ..api.request import Call

FOLDER = Path(__file__).parent
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Vary": "Cookie, Authorization, Accept",
}
_HIDDEN = re.compile(r"[^\S \n\t]|[\x00-\x08\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def shown(text: object) -> str:
    """Return a text with control and direction characters made visible, so that no name can pose as another one."""
    return _HIDDEN.sub(lambda found: f"\\u{{{ord(found[0]):x}}}" if not _is_space(found[0]) else " ", str(text))


def _is_space(character: str) -> bool:
    return unicodedata.category(character) == "Zs"


def path(*parts: str) -> str:
    """Return an address on this Hub; each part may hold slashes, the rest is quoted."""
    whole = "/".join(part.strip("/") for part in parts if part.strip("/"))
    return f"/{quote(whole.encode('utf-8', 'surrogateescape'))}"


def segment(text: str) -> str:
    """Return a text, e.g. a revision, as one segment of an address."""
    return quote(text.encode("utf-8", "surrogateescape"), safe="")


def size(count: int) -> str:
    """Return bytes as people read them: 512 B, 1.5 kB, 3.2 GB (powers of 1000)."""
    if count < 1000:
        return f"{count} B"
    scaled, unit = float(count), ""
    for unit in ("kB", "MB", "GB", "TB"):  # noqa: B007 - the unit is used after the loop
        scaled /= 1000
        if scaled < 999.95:
            break
    return f"{scaled:.1f} {unit}"


def day(iso: str) -> str:
    """Return the date of a time as the Hub writes it, e.g. 31 Jan 2026."""
    moment = datetime.fromisoformat(iso)
    return f"{moment.day} {moment:%b %Y}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": shown, "size": size, "day": day, "segment": segment}
    environment.globals["path"] = path
    return environment


def render(template: str, *, status: int = 200, **values: Any) -> Response:
    """Return a page made from a template and its values."""
    text = _environment().get_template(f"{template}.html.jinja").render(**values)
    content = text.encode("utf-8", "replace")
    return HTMLResponse(content, status_code=status, headers=SECURITY)


def page(call: Call, template: str, *, status: int = 200, **values: Any) -> Response:
    """Return a page for the caller, whose name stands at its top."""
    return render(template, status=status, user=call.user, here=here(call), endpoint=call.base, **values)


def here(call: Call) -> str:
    """Return the address of this request, without the endpoint."""
    return f"{call.raw_path}?{call.query}" if call.query else call.raw_path


def redirect(target: str) -> Response:
    """Send the browser to another address of this Hub."""
    return RedirectResponse(target, status_code=303, headers=SECURITY)
