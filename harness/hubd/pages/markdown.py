"""Markdown that strangers wrote as HTML that is safe to show: cards and comments."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ..bounds import Budget, Cache
from .page import path, tab_address

PROSE_LIMIT = 120_000  # characters; a longer text is cut
PLAIN_LIMIT = 5_000  # of a text that is shown as it was written, because it is too much work
SECONDS, ENOUGH = 1.5, 0.35  # of processor time: for a card, and for any text that is not out of proportion
STEP = 64 << 10
ID_PREFIX = "card-"
TAGS = {
    "a", "abbr", "b", "blockquote", "br", "caption", "center", "code", "dd", "del", "details", "div", "dl", "dt",
    "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "s",
    "samp", "small", "span", "strike", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th",
    "thead", "tr", "tt", "u", "ul", "var",
}  # fmt: skip
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_ALIGNED = {"td", "th", "p", "div", "img", *_HEADINGS}
ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start"},
    "details": {"open"},
    "abbr": {"title"},
} | {tag: {"align"} for tag in _ALIGNED - {"img"}}
ATTRIBUTES["img"] = ATTRIBUTES["img"] | {"align"}
ATTRIBUTES |= {tag: ATTRIBUTES.get(tag, set()) | {"id"} for tag in _HEADINGS | {"a"}}
ATTRIBUTES |= {tag: ATTRIBUTES[tag] | {"colspan", "rowspan"} for tag in ("td", "th")}
SCHEMES = {"http", "https", "mailto", "data"}  # data: pictures only, see Place.picture
_PICTURE_DATA = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*")
_NUMBER = re.compile(r"\d{1,4}%?")
_REL = "noopener noreferrer nofollow"
_KNOWN: Cache[tuple[str, Place], Prose] = Cache(32 << 20)  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a text stands: `web_path` of the repository, the revision, and the folder of the file ("" is the root)."""

    web_path: str
    revision: str
    folder: str = ""

    def link(self, target: str) -> str | None:
        """Return the address that a link of the text leads to, None if it may not lead there."""
        parts = urlsplit(target)
        if parts.scheme:
            return target if parts.scheme.lower() in ("http", "https", "mailto") else None
        if parts.netloc:
            return f"https:{target}"
        if target.startswith("#"):
            return f"#{ID_PREFIX}{target[1:].removeprefix(ID_PREFIX)}"
        if target.startswith("/"):
            return target
        inside = self._inside(parts.path)
        tail = f"#{parts.fragment}" if parts.fragment else ""
        return tab_address(self.web_path, "blob" if inside else "tree", self.revision, inside) + tail

    def picture(self, source: str) -> str | None:
        """Return the address of a picture in this repository, or the data of one; None for any other."""
        if _PICTURE_DATA.fullmatch(source):
            return source
        prefix = f"{path(self.web_path)}/resolve/"
        if source.startswith(prefix) and ".." not in unquote(source) and "\\" not in source:
            return source
        parts = urlsplit(source)
        if parts.scheme or parts.netloc or source.startswith("/"):
            return None
        inside = self._inside(parts.path)
        return tab_address(self.web_path, "resolve", self.revision, inside) if inside else None

    def _inside(self, relative: str) -> str:
        """Return a relative address as a path in the repository; what leads out of it leads to its root."""
        joined = posixpath.normpath(posixpath.join("/", self.folder, unquote(relative)))
        return joined.strip("/")


def _attribute(place: Place, _tag: str, name: str, value: str) -> str | None:
    """Return the value that an attribute may have, None to drop it (called by nh3)."""
    try:
        if name == "href":
            return place.link(value.strip())
        if name == "src":
            # A picture from outside is not loaded: _Rewriter makes a link of what stays here.
            return place.picture(value.strip()) or place.link(value.strip())
    except ValueError:  # no address at all, e.g. http://[
        return None
    if name in ("width", "height"):
        return value if _NUMBER.fullmatch(value) else None
    if name in ("colspan", "rowspan", "start"):
        return value if value.isascii() and value.isdigit() and len(value) < 4 else None
    return value


class _Rewriter(HTMLParser):
    """Rewrites clean HTML: pictures from elsewhere become links, those of the repository load when they are seen."""

    def __init__(self, place: Place) -> None:
        super().__init__(convert_charrefs=True)
        self._place = place
        self.out: list[str] = []
        self._links = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag != "img":
            self._links += tag == "a"
            self.out.append(_tag(tag, values))
            return
        source = values.get("src", "")
        if self._place.picture(source) is not None:
            self.out.append(_tag("img", {"alt": "", **values, "loading": "lazy"}))
            return
        words = escape(values.get("alt") or source or "picture", quote=False)
        if self._links or not source:
            self.out.append(f"<span>{words}</span>")
        else:
            self.out.append(f"{_tag('a', {'href': source, 'rel': _REL})}{words}</a>")

    def handle_endtag(self, tag: str) -> None:
        self._links -= tag == "a"
        self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.out.append(escape(data, quote=False))


def _tag(name: str, attributes: dict[str, str]) -> str:
    return "<" + " ".join([name, *(f'{key}="{escape(value)}"' for key, value in attributes.items())]) + ">"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prose:
    """A text as HTML that is safe to show; `cut`: only its beginning, because the rest is too long or too much work."""

    html: str
    cut: bool


class _OutOfTimeError(Exception):
    """A text is more work than its page may be."""


def prose(text: str, place: Place, budget: Budget) -> Prose:
    """Return Markdown (with HTML in it) as HTML without scripts, styles, forms, frames, or anything from outside.

    `budget` is of processor time: what is much work is shown in part, or as text.
    """
    text = text[: PROSE_LIMIT + 1]
    if (known := _KNOWN.get((text, place))) is not None:
        return known
    enough = budget.left >= ENOUGH
    for length, share in ((PROSE_LIMIT, 0.6), (PROSE_LIMIT // 4, 0.8)):
        try:
            html = _html(text[:length], place, Budget(budget.left * share))
        except _OutOfTimeError:
            continue
        found = Prose(html=html, cut=len(text) > length)
        return _KNOWN.put((text, place), found, 200 + 4 * len(text) + 4 * len(html))
    plain = escape(text[:PLAIN_LIMIT], quote=False)
    found = Prose(html=f"<p>{plain}</p>", cut=len(text) > PLAIN_LIMIT)
    # With as much time another try would end like this one; with less it says nothing of the text.
    return _KNOWN.put((text, place), found, 200 + 4 * len(text)) if enough else found


def _html(text: str, place: Place, budget: Budget) -> str:
    markdown = _markdown(budget)
    tokens = markdown.parse(text)
    _prepare(tokens)
    _check(budget)
    html: str = markdown.renderer.render(tokens, markdown.options, {})
    _check(budget)
    clean = nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        attribute_filter=partial(_attribute, place),
        link_rel=_REL,
        id_prefix=ID_PREFIX,
    )
    _check(budget)
    rewriter = _Rewriter(place)
    for at in range(0, len(clean), STEP):
        rewriter.feed(clean[at : at + STEP])
        _check(budget)
    rewriter.close()
    return "".join(rewriter.out)


def _check(budget: Budget) -> None:
    if budget.spent:
        raise _OutOfTimeError


def _markdown(budget: Budget) -> MarkdownIt:
    """Return a parser that gives up once the budget is spent: rules are asked at each block and special character."""

    def look_at_the_clock(*_: object) -> bool:
        _check(budget)
        return False

    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    markdown.block.ruler.before("table", "clock", look_at_the_clock)
    markdown.inline.ruler.before("text", "clock", look_at_the_clock)
    return markdown


def _prepare(tokens: Sequence[Token]) -> None:
    """Give headings their anchors, and table cells their alignment as an attribute instead of a style."""
    seen: dict[str, int] = {}
    for token, following in zip(tokens, [*tokens[1:], None], strict=False):
        if token.type == "heading_open" and following is not None:
            slug = re.sub(r"[^\w]+", "-", following.content.lower()).strip("-")[:80] or "section"
            seen[slug] = seen.get(slug, -1) + 1
            token.attrSet("id", f"{slug}-{seen[slug]}" if seen[slug] else slug)
        style = str(token.attrs.pop("style", ""))
        if style.startswith("text-align:"):
            token.attrSet("align", style.removeprefix("text-align:"))
