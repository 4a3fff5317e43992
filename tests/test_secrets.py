"""Secrets are found however a text spells them, ordinary text is left as it is, and no push takes one along."""

from __future__ import annotations

import base64
import html
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import secrets
from harness.data.formats.jsonl import read_jsonl, write_jsonl
from harness.errors import UsageError
from harness.hub.push_checks import HIDDEN, check_outgoing, without_local_folders
from harness.secrets import MASK, Secrets

KEY = "sk-proj-7Hq2vXw9/LmZk4=RtY8uBn"
_BYTES = KEY.encode()
SPELLED = {
    "as it is": KEY,
    "upper case": KEY.upper(),
    "reversed": KEY[::-1],
    "letter by letter": " ".join(KEY),
    "zero width": "\u200b".join(KEY),
    "hex": _BYTES.hex(),
    "hex with colons": _BYTES.hex(":"),
    "0x": ", ".join(f"0x{byte:02x}" for byte in _BYTES),
    "codes": ",".join(map(str, _BYTES)),
    "Python": "".join(f"\\x{byte:02x}" for byte in _BYTES),
    "JSON": "".join(f"\\u{byte:04x}" for byte in _BYTES),
    "JSON twice": json.dumps(json.dumps("\n".join(KEY))),
    "percent": quote(KEY, safe=""),
    "every percent": "".join(f"%{byte:02X}" for byte in _BYTES),
    "every third": "".join(f"%{byte:02X}" if place % 3 else chr(byte) for place, byte in enumerate(_BYTES)),
    "HTML": "".join(f"&#{byte};" for byte in _BYTES),
    "HTML names": html.escape(KEY),
    "Base64": base64.b64encode(_BYTES).decode(),
    "Base64 of a pair": base64.b64encode(b"me:" + _BYTES).decode(),
    "Base64 for addresses": base64.urlsafe_b64encode(b"Bearer " + _BYTES + b"!").decode(),
    "first half": KEY[:15],
    "second half": KEY[-16:],
}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def _added(path: str, content: str | bytes) -> Any:
    """Return what the client of the Hub calls an addition; importing that would fix which Hub all tests ask."""
    return SimpleNamespace(path_in_repo=path, path_or_fileobj=content)


@pytest.fixture
def known() -> Secrets:
    made = Secrets()
    made.add(KEY, "the key")
    return made


@pytest.mark.parametrize("spelling", SPELLED)
@given(before=TEXTS, after=TEXTS)
def test_a_value_is_found_and_masked_in_every_spelling(spelling: str, before: str, after: str) -> None:
    found = Secrets()
    found.add(KEY, "the key")
    text = f"{before} {SPELLED[spelling]} {after}"
    assert found.find(text) == found.find(text.encode()) == "the key"
    masked = found.mask(text)
    assert MASK in masked
    assert found.find(masked) is None
    assert SPELLED[spelling] not in masked


@given(st.text(max_size=2000))
def test_text_without_it_stays_as_it_is(text: str) -> None:
    found = Secrets()
    found.add(KEY, "the key")
    assert found.mask(text) == text


def test_short_values_and_short_parts_are_no_secrets(known: Secrets) -> None:
    known.add("EMPTY", "a placeholder")
    assert known.find(f"EMPTY {KEY[:12]}") is None


def test_values_come_from_variables_addresses_and_the_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("SOME_API_KEY", "value-of-the-api-key-1")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:word-of-the-proxy-2@proxy:3128")
    monkeypatch.setenv("ODDLY_CALLED", "value-of-the-odd-one-3")
    monkeypatch.setenv("MONKEY", "no-secret-at-all-4")
    secrets.learn_variable("ODDLY_CALLED")
    secrets.learn_address("https://me:word-of-the-address-5@host/v1?key=word-of-the-query-6")
    (tmp_path / "token").write_text("stored-token-of-login-7\n")
    (tmp_path / "stored_tokens").write_text("[name-of-the-laptop]\nhf_token = other-token-of-login-8\n")
    found = {what: secrets.known().find(f"it is {what} here") for what in (
        "value-of-the-api-key-1", "word-of-the-proxy-2", "value-of-the-odd-one-3", "word-of-the-address-5",
        "word-of-the-query-6", "stored-token-of-login-7", "other-token-of-login-8",
        "no-secret-at-all-4", "name-of-the-laptop",
    )}  # fmt: skip
    assert [value for value, what in found.items() if what is None] == ["no-secret-at-all-4", "name-of-the-laptop"]
    assert found["value-of-the-api-key-1"] == "the value of SOME_API_KEY"


def test_what_is_written_is_masked_and_still_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)
    row = {"raw": "\n".join(KEY), "list": list(KEY), KEY: {"text": f"it is {KEY}", "number": 5}}
    write_jsonl(tmp_path / "rows.jsonl", [row, {"raw": "fine"}])
    (_, first), (_, second) = read_jsonl(tmp_path / "rows.jsonl")
    assert first["raw"] == MASK
    assert first[MASK]["text"] == f"it is {MASK}"
    assert second == {"raw": "fine"}
    assert secrets.notes()
    assert not secrets.notes()


@pytest.mark.parametrize("spelling", ["as it is", "JSON", "Base64", "first half"])
@pytest.mark.parametrize("binary", [False, True])
def test_a_push_with_a_secret_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spelling: str, binary: bool
) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)
    text = f"{'x ' * 5_000_000}{SPELLED[spelling]}{' y' * 9}".encode()
    path = tmp_path / "file"
    path.write_bytes(b"\0" * binary + text)
    for content in (path, path.read_bytes()):
        operation: Any = _added("weights.bin", content if isinstance(content, bytes) else str(content))
        with pytest.raises(UsageError, match=r"weights\.bin holds the value of SOME_API_KEY") as caught:
            check_outgoing([operation], ["title"], "datasets/me/it")
        assert SPELLED[spelling] not in str(caught.value)
    with pytest.raises(UsageError, match="title"):
        check_outgoing([], [f"title {SPELLED[spelling]}"], "datasets/me/it")


def test_a_record_that_names_a_folder_of_this_machine_is_not_pushed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    told = json.dumps({"file": str(tmp_path / "x.json")}).encode()
    with pytest.raises(UsageError, match=r"lineage\.json names a folder of this machine"):
        check_outgoing([_added("lineage.json", told)], [], "it")
    check_outgoing([_added("data/train.jsonl", told)], [], "it")
    assert str(tmp_path) in capsys.readouterr().err
    ordinary = b'{"path": "/api/v1/users", "at": "/tmp/x", "see": "https://host/srv/x", "or": "/srv/other/file"}'
    check_outgoing([_added("lineage.json", ordinary)], [], "it")
    assert without_local_folders(f"cannot read {tmp_path}/x.json") == f"cannot read {HIDDEN}/x.json"


def test_settings_keep_the_last_part_of_a_path() -> None:
    from harness.models.engine.build import recorded_args, split_engine_args

    words = split_engine_args(["chat-template=/srv/me/private/x.jinja", "api-key=word-of-the-engine-9", "dtype=auto"])
    assert words[1] == "/srv/me/private/x.jinja"
    assert recorded_args(words) == ["--chat-template", "x.jinja", "--api-key", MASK, "--dtype", "auto"]
    assert secrets.known().find("it has word-of-the-engine-9") is not None


def test_what_repeats_a_key_without_end_is_masked_in_time(known: Secrets) -> None:
    """Also where every window of a text is one of the key's, and nothing long enough follows."""
    started = time.monotonic()
    assert known.mask(f"{KEY} " * 100_000) == f"{MASK} " * 100_000
    assert known.find("".join(f"{KEY[place : place + 9]}q" for place in range(20)) * 10_000) is None
    assert time.monotonic() - started < 60
