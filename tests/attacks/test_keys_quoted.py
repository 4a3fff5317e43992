"""An endpoint quotes the key that it was asked with, in errors and in answers: nobody else may read it."""

from __future__ import annotations

import base64
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ENDPOINTS = runpy.run_path(str(Path(__file__).with_name("endpoints.py")))
KEY = "sk-proj-7Hq2vXw9LmZk4RtY8uBn"
PASSWORD = "Tulip-Harbor-9931"
SPELLINGS = {
    "as it is": KEY,
    "in upper case": KEY.upper(),
    "letter by letter": " ".join(KEY),
    "over lines": "\n".join(KEY),
    "hexadecimal": KEY.encode().hex(),
    "percent": "".join(f"%{byte:02X}" for byte in KEY.encode()),
    "Base64": base64.b64encode(f"Bearer {KEY}".encode()).decode(),
    "its first half": KEY[:16],
    "the address": PASSWORD,
}


def holds(text: bytes) -> list[str]:
    """Return the spellings of the key that a text holds, with or without the JSON escape of line ends."""
    bare = text.replace(b"\\n", b"\n")
    return [name for name, spelling in SPELLINGS.items() if spelling.encode() in bare]


def test_what_an_endpoint_quotes_of_the_key_is_neither_said_nor_written_nor_pushed(
    hub: Any, tft: Callable[..., Any], tmp_path: Path
) -> None:
    alice = hub.client("alice")
    _ENDPOINTS["make_test_set"](alice, "alice/trains", 2 * len(SPELLINGS) + 2)
    texts = list(SPELLINGS.values())

    def answer(number: int) -> Any:
        if number >= 2 * len(texts):
            return _ENDPOINTS["call"](city=f"Town {number}")
        text = texts[number % len(texts)]
        if number < len(texts):
            return 400, {"error": {"message": f"context too long for {text}", "type": "bad", "code": "bad"}}
        return _ENDPOINTS["message"](content=f"You asked with {text}")

    with _ENDPOINTS["speaking"](answer) as url:
        address = url.replace("//", f"//user:{PASSWORD}@") + f"?key={PASSWORD}-too"
        command = ["evaluate", "openai:model", "--base-url", address, "--dataset", "alice/trains", "--push"]
        done = tft(
            *command, "--out", "run", "--max-unscored", "1", "--concurrency", "1",
            HF_ENDPOINT=hub.url, HF_TOKEN="hf_alice_writes", OPENAI_API_KEY=KEY,
        )  # fmt: skip
    written = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    published = _ENDPOINTS["pushed"](alice, "datasets/alice/tft-benchmark-results")
    said = {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
    found = {name: spelled for name, text in {**written, **published, **said}.items() if (spelled := holds(text))}
    assert not found
    assert done.returncode == 0, done.stderr
    assert any(name.startswith("data/") for name in published)
