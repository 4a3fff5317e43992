"""A Jinja environment for Markdown in which every value is text: what a template prints cannot become markup.

Values are escaped where they are printed (Jinja's `finalize`), so a template has to ask for anything
else, with one of the filters below. Printing None or an unknown name is an error.
"""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import yaml
from markupsafe import Markup

from harness.resources import templates
from harness.statistics import formatting
from harness.statistics.records import Estimate
from harness.terminal import HIDDEN

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment


MARK = "<!-- tft-harness:"
"""How the first line of a comment of ours begins; the whole line says which comment it is."""

_SPACE = re.compile(r"[\s\u0085\u2028\u2029]+")
_MARKUP = re.compile(r"[\\`*\[\]|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_BARE_LINK = re.compile(r"(?i)(:)(?=//)|(?<=www)(\.)|(?<=\w)(@)(?=\w)")
_REFERENCE = re.compile(
    r"((?:[\w.+/-]*(?:@(?=\w)|#(?=\d))|\bGH-(?=\d))[\w./#@-]*\w"
    r"|(?<!\w)(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,40}(?!\w))",
    re.IGNORECASE,
)
"""What GitHub turns into a mention, or a link to an issue, a commit or an address, unless it is marked as code."""
_LINE_START = re.compile(r" ?([-+=#]|\d+[.)])(?![0-9A-Za-z])")
_PLAIN_CODE = re.compile(r"[^`|<>&]+")
_URL_SAFE = ":/?#=&%+,;~@!'"


def one_line(value: object) -> str:
    """Return the value's text on one line, without characters that do not show; inner space is single."""
    return _SPACE.sub(" ", HIDDEN.sub("", _SPACE.sub(" ", str(value))))


def escape(value: object) -> Markup:
    """Return the value as Markdown that shows its text: also inside a table cell and at the start of a line."""
    if isinstance(value, Markup):
        return value
    if value is None:
        raise ValueError("a card template printed a value that is not there; test for it first")
    parts = _REFERENCE.split(one_line(value))
    parts[::2] = map(_escaped, parts[::2])
    parts[1::2] = (f"<code>{_escaped(part)}</code>" for part in parts[1::2])
    text = "".join(parts)
    marker = _LINE_START.match(text)
    if marker:
        text = f"{text[: marker.end() - 1]}\\{text[marker.end() - 1 :]}"
    return Markup(text)  # noqa: S704 - escaped above


def _escaped(text: str) -> str:
    text = "".join(_ENTITIES.get(character, character) for character in _MARKUP.sub(r"\\\g<0>", text))
    return _BARE_LINK.sub(r"\\\g<0>", text)


def code(value: object) -> Markup:
    """Return the value as inline code."""
    text = one_line(value).strip()
    if not text:
        return Markup("")
    if _PLAIN_CODE.fullmatch(text):
        return Markup(f"`{text}`")  # noqa: S704 - holds nothing that ends the code or the table cell
    return Markup(f"<code>{_escaped(text)}</code>")  # noqa: S704 - escaped here


def link(title: object, url: str) -> Markup:
    """Return a link; an address that is neither http nor https is not linked."""
    if not url.startswith(("https://", "http://")):
        return escape(title)
    return Markup("[") + escape(title) + Markup(f"]({quote(one_line(url), safe=_URL_SAFE)})")  # noqa: S704 - quoted


def image(description: object, path: str) -> Markup:
    """Return an image that lies in the card's repository, with its description."""
    return Markup("![") + escape(description) + Markup(f"]({quote(one_line(path), safe='/')})")  # noqa: S704 - quoted


def number(value: float | None, digits: int = 3) -> Markup:
    """Return a number with a fixed number of decimals; a dash where there is none."""
    return Markup(formatting.number(value, digits=digits))  # noqa: S704 - digits


def interval(estimate: Estimate | None) -> Markup:
    """Return `value [low, high]`; a dash where there is no estimate."""
    return Markup(formatting.interval(estimate))  # noqa: S704 - digits


def points(value: float | None) -> Markup:
    """Return a signed difference in percentage points; a dash where there is none."""
    return Markup(formatting.signed(value, digits=1) + " pp" * (value is not None))  # noqa: S704 - digits


def percent(share: float) -> Markup:
    """Return a share in per cent with one decimal."""
    return Markup(formatting.percent(share))  # noqa: S704 - digits


def python(value: str) -> Markup:
    """Return the text as a Python literal in ASCII that cannot end a fenced block."""
    literal = json.dumps(value) if value.isascii() else ascii(value)
    return Markup(re.sub(r"`|<(?=!)", lambda found: f"\\x{ord(found[0]):02x}", literal))  # noqa: S704 - ASCII literal


def shell(value: object) -> Markup:
    """Return the value as one word of a shell command, on one line."""
    return Markup(shlex.quote(one_line(value).strip()))  # noqa: S704 - stays on its line in a fenced block


def scalar(value: object) -> Markup:
    """Return the text as a YAML value on one line, in quotes where it needs them."""
    text = yaml.safe_dump(one_line(value).strip(), allow_unicode=True, width=math.inf)
    return Markup(text.removesuffix("\n").removesuffix("\n..."))  # noqa: S704 - between the front matter's marks


def to_yaml(value: Mapping[str, str | list[str]]) -> Markup:
    """Return texts and lists of texts as YAML in their order, each text on its line."""
    flat = {
        key: [one_line(item).strip() for item in entry] if isinstance(entry, list) else one_line(entry).strip()
        for key, entry in value.items()
    }
    text = yaml.safe_dump(flat, sort_keys=False, allow_unicode=True, width=10_000)
    return Markup(text)  # noqa: S704 - between the front matter's marks, not Markdown


def as_json(value: object) -> str:
    """Return the value as JSON text, still to be escaped or marked as code."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


@cache
def environment(folder: Path) -> ImmutableSandboxedEnvironment:
    """Return the sandboxed environment over the templates in `folder`."""
    env = templates(folder, finalize=escape)
    filters = (code, number, interval, points, percent, python, shell, scalar, to_yaml, as_json)
    env.filters |= {function.__name__: function for function in filters}
    env.globals |= {"link": link, "image": image}
    return env
