"""From a model's raw text to what the assistant says or calls: whole, and while it is generated."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.data.formats.messages import dump_arguments
from harness.data.records import ToolCall
from harness.data.tools import ReplyTool, Toolbox
from harness.models import parsing
from harness.models.parsing.strip_thinking import answers
from harness.models.serving.words import GrowingWords, surroundings

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notation:
    """How the answers to one request are read."""

    family: str | None
    tools: tuple[dict[str, Any], ...]
    """None: the answer is text, and nothing is looked for in it."""
    reply: ReplyTool
    required: bool
    """Whether calls of the tool that speaks to the user stay calls."""
    stops: tuple[str, ...] = ()
    written: tuple[str, str] | None = None
    """Two answers that say `SAMPLES`, as the model's template writes them."""

    @classmethod
    def of(cls, family: str | None, tools: tuple[dict[str, Any], ...], **chosen: Any) -> Notation:
        """Return the notation of a task's tools."""
        return cls(family=family, tools=tools, reply=Toolbox(tools).reply, **chosen)

    def words(self) -> GrowingWords:
        """Return what finds the words for the user in an answer that is still growing, or was cut."""
        if self.required or self.reply.plain or not self.tools:
            return GrowingWords(())
        return GrowingWords(surroundings(self.reply, self.written))

    def reply_text(self, call: ToolCall) -> str | None:
        """Return what a call says to the user; None where it is to go to the client as a call."""
        if self.required or self.reply.plain or call.name != self.reply.tool or len(call.arguments) != 1:
            return None
        text = call.arguments.get(self.reply.argument)
        return text if isinstance(text, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAnswer:
    """One answer as the client gets it: a text or a call."""

    text: str | None
    call: ToolCall | None
    finish_reason: str
    problem: str | None = None
    """What a reader of the log should know of it."""

    def tool_calls(self) -> list[dict[str, Any]]:
        """Return the call in OpenAI's form, in a list."""
        if self.call is None:
            return []
        function = {"name": self.call.name, "arguments": dump_arguments(self.call.arguments)}
        return [{"id": f"call_{secrets.token_hex(12)}", "type": "function", "function": function}]

    def message(self) -> dict[str, Any]:
        """Return the message of the assistant."""
        calls = self.tool_calls()
        return {"role": "assistant", "content": self.text, "refusal": None, **({"tool_calls": calls} if calls else {})}


def read_answer(raw: str, finish_reason: str, notation: Notation) -> ReadAnswer:
    """Return what a raw text says, read as `tft evaluate` reads it for its headline; see `parsing.read`.

    A text that was cut inside the words for the user is those words; any other without a call is the text itself.
    """
    if not notation.tools:
        return _said(raw, finish_reason, notation)
    reading = parsing.read(raw, family=notation.family, tools=notation.tools)
    call = reading.call
    several = f"{reading.calls} calls in one answer, of which the first was taken" if reading.calls > 1 else None
    if call is None:
        partial = notation.words()
        partial.add(raw)
        if partial.text:
            return _said(partial.text, finish_reason, notation)
        body = next(answers(raw), ("", 0))[0]
        text_will_do = notation.reply.plain and not notation.required
        problem = None if text_will_do else f"an answer without a call ({reading.reason})"
        return _said(body, finish_reason, notation, problem)
    text = notation.reply_text(call)
    if text is None:
        return ReadAnswer(text=None, call=call, finish_reason="tool_calls", problem=several)
    return _said(text, "stop", notation, several)


def _said(text: str, finish_reason: str, notation: Notation, problem: str | None = None) -> ReadAnswer:
    cut = cut_at(text, notation.stops)
    reason = "stop" if cut is not None else finish_reason
    return ReadAnswer(text=text if cut is None else text[:cut], call=None, finish_reason=reason, problem=problem)


def cut_at(text: str, stops: Sequence[str]) -> int | None:
    """Return where a text ends that is to end before any of these, None where none is in it."""
    return min((place for stop in stops if (place := text.find(stop)) >= 0), default=None)


@dataclass(slots=True)
class StreamedAnswer:
    """One answer while it is generated: what can be sent of it at each moment, and what is left at its end."""

    notation: Notation
    raw: str = ""
    sent: str = ""
    token_ids: list[int] = field(default_factory=list)
    finish_reason: str = "stop"
    stopped: bool = False
    """A stop sequence has come: nothing more is wanted."""
    _words: GrowingWords = field(init=False)

    def __post_init__(self) -> None:
        self._words = self.notation.words()

    def add(self, choice: Mapping[str, Any]) -> str:
        """Take a piece of the engine's stream, and return the text that can be sent now."""
        piece = str(choice.get("text") or "")
        self.raw += piece
        self.token_ids += choice.get("token_ids") or ()
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        if self.stopped:
            return ""
        self._words.add(piece)
        text = self._words.text if self.notation.tools else self.raw
        cut = cut_at(text, self.notation.stops)
        self.stopped = cut is not None
        end = cut if cut is not None else len(text) - max(map(len, self.notation.stops), default=1) + 1
        if self.stopped:
            self.finish_reason = "stop"
        if end <= len(self.sent) or _SURROGATE.search(text, len(self.sent), end):
            return ""
        piece, self.sent = text[len(self.sent) : end], text[:end]
        return piece

    def end(self) -> tuple[ReadAnswer, str]:
        """Return the whole answer, and the text of it that was not sent yet."""
        if self.stopped:
            return ReadAnswer(text=self.sent, call=None, finish_reason="stop"), ""
        read = read_answer(self.raw, self.finish_reason, self.notation)
        said = read.text or ""
        if said.startswith(self.sent):
            return read, said[len(self.sent) :]
        # The words went out while they looked like the reply; the whole text is read as something else.
        problem = "an answer whose words were sent before they turned out to be something else"
        return ReadAnswer(text=self.sent, call=read.call, finish_reason=read.finish_reason, problem=problem), ""
