"""A real browser, told over a pipe what to do: Chromium's own protocol, without a driver."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

CHROMIUM = shutil.which("chromium")
SILENCE = 30.0
"""Seconds after which the browser is given up."""
_CODES = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowRight": 39, "ArrowLeft": 37}
_OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --remote-debugging-pipe"
)


class Tab:
    """One page of the browser, used by its keyboard."""

    def __init__(self, asking: IO[bytes], answers: IO[bytes]) -> None:
        self._asking, self._answers, self._number = asking, answers, 0
        self._session: str | None = None
        self._came = b""
        self.questions: list[str] = []
        """The kinds of dialogs that pages opened; each is accepted."""
        self.problems: list[str] = []
        """What pages threw, and what their console was told."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Accessibility"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> Any:
        """Give a command and return its result; AssertionError where the browser refuses it."""
        number = self._tell(method, parameters)
        while True:
            said = json.loads(self._message())
            if said.get("method") in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
                self.problems.append(json.dumps(said["params"])[:500])
            if said.get("method") == "Page.javascriptDialogOpening":
                self.questions.append(said["params"]["type"])
                self._tell("Page.handleJavaScriptDialog", {"accept": True})
            if said.get("id") == number:
                assert "error" not in said, said
                return said["result"]

    def _tell(self, method: str, parameters: dict[str, Any]) -> int:
        self._number += 1
        told = {"id": self._number, "method": method, "params": parameters}
        told |= {"sessionId": self._session} if self._session else {}
        self._asking.write(json.dumps(told).encode() + b"\0")
        return self._number

    def _message(self) -> bytes:
        while b"\0" not in self._came:
            assert select.select([self._answers], [], [], SILENCE)[0], "the browser does not answer"
            more = os.read(self._answers.fileno(), 1 << 16)
            assert more, "the browser has ended"
            self._came += more
        message, _, self._came = self._came.partition(b"\0")
        return message

    def value(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"]
        return result.get("value")

    def until(self, expression: str, seconds: float = 20) -> None:
        """Wait until an expression is true in a page that has been loaded."""
        end = time.monotonic() + seconds
        while not self.value(f"document.readyState == 'complete' && Boolean({expression})"):
            assert time.monotonic() < end, (expression, self.value("location.href"), self.problems)
            time.sleep(0.02)

    def press(self, key: str, *, control: bool = False) -> None:
        """Press a key and let it go."""
        sent: dict[str, Any] = {
            "key": key,
            "modifiers": 2 if control else 0,
            "windowsVirtualKeyCode": _CODES.get(key, 0),
        }
        text = {"text": key} if len(key) == 1 else {}
        self.ask("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **sent, **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **sent)

    def write_over(self, text: str) -> None:
        """Type in place of all that the focused field holds."""
        self.ask("Input.dispatchKeyEvent", type="rawKeyDown", key="a", modifiers=2, commands=["selectAll"])
        self.ask("Input.insertText", text=text)


@contextmanager
def tab(profile: Path) -> Iterator[Tab]:
    """Yield a page of a browser that is ended afterwards."""
    (asked, asking), (answering, answered) = os.pipe(), os.pipe()
    command = f'exec "$0" {_OPTIONS} --user-data-dir="$1" 3<&{asked} 4>&{answered}'
    assert CHROMIUM is not None
    with subprocess.Popen(
        ["bash", "-c", command, CHROMIUM, profile], pass_fds=(asked, answered), stderr=subprocess.DEVNULL
    ) as process:
        os.close(asked)
        os.close(answered)
        try:
            with os.fdopen(asking, "wb", 0) as questions, os.fdopen(answering, "rb", 0) as answers:
                yield Tab(questions, answers)
        finally:
            process.kill()
