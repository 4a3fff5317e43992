"""Keys, tokens and passwords: one object knows those of this process, finds them in texts, and masks them.

They come from the environment (variables named like secrets, credentials in URLs), from `hf auth login`,
and from callers of `learn`. A value is found, and each part of it of 12 letters and digits or more: in any case,
with other characters between, reversed, as character codes, as percent, JSON, Python or HTML escapes, in Base64. Not
found are shorter parts, letters put in between, and what is compressed, encrypted, or encoded twice.
"""

from __future__ import annotations

import base64
import html
import os
import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

MASK = "[key]"
SHORTEST = 12
"""Characters; anything shorter is a placeholder, and would match inside ordinary words."""

_LONG, _LONGEST = 256, 4096
"""Characters; fewer spellings of a long value are known, and only the beginning of a very long one."""
_WINDOW = 8
_STEP = SHORTEST - _WINDOW + 1
"""Characters between the windows that are looked up: any part of the shortest length contains a whole one."""
_OTHERS = bytes(one for one in range(256) if not chr(one).isascii() or not chr(one).isalnum())
_NAMED_SECRET = re.compile(
    r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|PAT|CREDENTIALS|AUTHORIZATION)$", re.IGNORECASE
)
_CREDENTIALS = re.compile(r"[a-z][a-z0-9+.-]*://([^/\s@]+)@", re.IGNORECASE)
_ESCAPE = re.compile(rb"\\+(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|[abfnrtv])")
_ASCII = range(128)
_STORED = ("token", "stored_tokens")


@dataclass(frozen=True, slots=True)
class _Form:
    """A way to write a value: its letters and digits, and how many of them are a part of the shortest length."""

    text: bytes
    least: int


@dataclass(slots=True)
class Secrets:
    """The known values, what each one is, and how often it was masked."""

    masked: dict[str, int] = field(default_factory=dict)
    _whats: dict[str, str] = field(default_factory=dict)
    _windows: dict[bytes, list[tuple[_Form, int, str]]] = field(default_factory=dict)
    _exact: list[tuple[bytes, str]] = field(default_factory=list)

    def add(self, value: str, what: str) -> None:
        """Add a value; `what` describes it in messages. Values shorter than `SHORTEST` are ignored."""
        value = value.strip()[:_LONGEST]
        if len(value) < SHORTEST or value in self._whats:
            return
        self._whats[value] = what
        forms = [one for one in _forms(value) if len(one.text) >= one.least]
        for form in forms:
            for at in range(len(form.text) - _WINDOW + 1):
                self._windows.setdefault(form.text[at : at + _WINDOW], []).append((form, at, what))
        if not any(form.least == SHORTEST for form in forms):  # hardly any letters: only as it is
            self._exact += [(one.encode(), what) for one in {value, quote(value, safe="")}]

    def find(self, text: str | bytes) -> str | None:
        """Return the description of the first secret in a text, or None."""
        if not self._whats:
            return None
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        for one in _spellings(data):
            for _, _, what in self._spans(one):
                return what
        return None

    def mask(self, text: str) -> str:
        """Return the text with secrets replaced by `MASK`; only `MASK` if a secret shows after decoding alone."""
        if self.find(text) is None:
            return text
        data = text.encode("utf-8", "surrogatepass")
        kept, done = [], 0
        for start, end in _joined(self._spans(data)):
            kept += [data[done:start], MASK.encode()]
            done = end
        data = b"".join([*kept, data[done:]])
        return data.decode("utf-8", "surrogatepass") if self.find(data) is None else MASK

    def mask_value(self, value: Any) -> Any:
        """Return a JSON value with every string masked, keys included; changes are counted."""
        if isinstance(value, str):
            what = self.find(value)
            if what is not None:
                self.masked[what] = self.masked.get(what, 0) + 1
            return value if what is None else self.mask(value)
        if isinstance(value, Mapping):
            return {self.mask_value(str(key)): self.mask_value(one) for key, one in value.items()}
        return [self.mask_value(one) for one in value] if isinstance(value, list | tuple) else value

    def _spans(self, data: bytes) -> Iterator[tuple[int, int, str]]:
        """Yield first byte, last byte and description of each match."""
        for exact, what in self._exact:
            if (at := data.find(exact)) >= 0:
                yield at, at + len(exact), what
        bare = _bare(data)
        places: array[int] | None = None
        done = 0
        for start in range(0, len(bare) - _WINDOW + 1, _STEP):
            if start + _WINDOW <= done:
                continue
            for form, at, what in self._windows.get(bare[start : start + _WINDOW], ()):
                left, right = _extended(form.text, at, bare, start)
                if right - left < form.least or right <= done:
                    continue
                places = places or array("I", (number for number, one in enumerate(data) if one not in _OTHERS))
                done = right
                yield places[left], places[right - 1] + 1, what


def _bare(data: bytes) -> bytes:
    return data.lower().translate(None, _OTHERS)


def _forms(value: str) -> Iterator[_Form]:
    data = value.encode("utf-8", "surrogatepass")
    bare = _bare(data)
    yield _Form(bare, SHORTEST)
    if len(value) <= _LONG:
        yield _Form(bare[::-1], SHORTEST)
        yield _Form(data.hex().encode(), 2 * SHORTEST)
        for between in ("x", "0x", "u00"):
            yield _Form(data.hex("_").replace("_", between).encode(), (2 + len(between)) * SHORTEST - len(between))
        yield _Form("".join(map(str, data)).encode(), 2 * SHORTEST)
    for before in range(3):  # where it stands in a longer text decides how it is written
        encoded = base64.b64encode(bytes(before) + data)[2 * (before > 0) + (before > 1) :]
        yield _Form(_bare(encoded.rstrip(b"=")[:-1]), 4 * SHORTEST // 3)


def _spellings(data: bytes) -> Iterator[bytes]:
    """Yield a text and its unescaped forms."""
    yield data
    if b"\\" in data:
        data = _ESCAPE.sub(_unescaped, data)
        yield data
    if b"%" in data:
        data = unquote_to_bytes(data)
        yield data
    if b"&" in data and b";" in data:
        yield html.unescape(data.decode("utf-8", "replace")).encode("utf-8", "surrogatepass")


def _unescaped(found: re.Match[bytes]) -> bytes:
    code = int(found[1] or found[2] or b"20", 16)
    return bytes([code]) if code < len(_ASCII) else b" "


def _extended(form: bytes, at: int, text: bytes, start: int) -> tuple[int, int]:
    """Return how far a text is the same as a form around a window of both, from where to where in the text."""
    left, right = 0, _WINDOW
    while left < min(at, start) and form[at - left - 1] == text[start - left - 1]:
        left += 1
    most = min(len(form) - at, len(text) - start)
    while right < most and form[at + right] == text[start + right]:
        right += 1
    return start - left, start + right


def _joined(spans: Iterator[tuple[int, int, str]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end, _ in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


_variables: dict[str, None] = {}
_learned: dict[str, str] = {}
_masked: dict[str, int] = {}


def learn(value: str, what: str) -> None:
    """Add a value, for the rest of this process."""
    if len(value) >= SHORTEST:
        _learned[value] = what


def learn_variable(name: str) -> None:
    """Add the value of an environment variable, whatever it is called."""
    _variables[name] = None


def learn_named(value: Any) -> None:
    """Add the strings in a JSON value under keys such as `api_key` or `Authorization`."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            if isinstance(one, str) and is_secret_name(str(key)):
                learn(one, f"the value of {key}")
            learn_named(one)
    elif isinstance(value, list | tuple):
        for one in value:
            learn_named(one)


def is_secret_name(name: str) -> bool:
    """Whether a name is that of a secret: `HF_TOKEN`, `--api-key`, `Authorization`."""
    return _NAMED_SECRET.search(name.replace("-", "_")) is not None


def learn_address(address: str) -> None:
    """Add what a URL contains besides host and path: user and password, and the values of its query."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return
    what = f"the credentials of an address ({parts.hostname})"
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    for value in (password, f"{user}:{password}" if password else user, parts.netloc.rpartition("@")[0]):
        learn(value, what)
    for field_ in parts.query.split("&"):
        learn(unquote(field_.partition("=")[2]), f"the query of an address ({parts.hostname})")


def known() -> Secrets:
    """Return the secrets known now; an object kept from earlier does not learn later ones."""
    return _known(tuple(_from_environment()), tuple(_from_login()), tuple(_learned.items()))


@lru_cache(maxsize=8)
def _known(*groups: tuple[tuple[str, str], ...]) -> Secrets:
    secrets = Secrets(masked=_masked)
    for group in groups:
        for value, what in group:
            secrets.add(value, what)
    return secrets


def _from_environment() -> Iterator[tuple[str, str]]:
    for name, value in os.environ.items():
        if name in _variables or (is_secret_name(name) and not value.startswith(("/", "./", "~"))):
            yield value, f"the value of {name}"
        elif "@" in value and (found := _CREDENTIALS.search(value)):
            whole = unquote(found[1])
            yield whole, f"the credentials in {name}"
            yield whole.partition(":")[2], f"the credentials in {name}"


def _from_login() -> Iterator[tuple[str, str]]:
    caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    folder = Path(os.environ.get("HF_HOME") or caches / "huggingface").expanduser()
    for path in (Path(os.environ.get("HF_TOKEN_PATH") or folder / _STORED[0]), folder / _STORED[1]):
        for value in _stored(path, _changed(path)):
            yield value, "a token stored by `hf auth login`"


def _changed(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


@cache
def _stored(path: Path, changed: int | None) -> tuple[str, ...]:
    if changed is None:
        return ()
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    return tuple(line.rpartition("=")[2].strip() for line in text.splitlines() if not line.startswith("["))


def notes() -> list[str]:
    """Return one sentence per secret masked so far, and reset the counts."""
    said = [f"{what} stood in {count} texts, where {MASK} stands now" for what, count in _masked.items()]
    _masked.clear()
    return said
