"""Training renderings: a conversation as the token ids that serving will send, and the turns to learn in it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from harness.data.records import Conversation, Message, Task, ToolCall
from harness.errors import ModelError
from harness.models.prompts import NATIVE, Calendar, Form, Renderer, whole_renderer
from harness.models.prompts.renderer import encode
from harness.training.templates import chat_template, keep_day, switch_thinking_off, training_variant

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Span = tuple[int, int]
_SENTINEL = "Zq7sentinel"
_USER = Message(role="user", content="Hello.")
_TEXT = Message(role="assistant", content=_SENTINEL)
_CALL = Message(role="assistant", tool_calls=(ToolCall(name=_SENTINEL, arguments={}, id="call00001"),))
_OWN = "own"
_SHOWN = 3
"""Tokens shown of each side where two renderings part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedTurn:
    """One assistant turn: what serving sends to get it, and what is learned after that, end mark included."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Consecutive turns of one conversation in one sequence of token ids, in which each turn follows its own prompt."""

    ids: tuple[int, ...]
    spans: tuple[Span, ...]
    """[start, end) of each turn's answer, end mark included."""
    first: int
    """Which turn of the conversation comes first, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """One assistant turn as text."""

    prompt: str
    answer: str | None
    """What follows the prompt, end mark included; None where the template writes the turn otherwise."""
    done: str
    """The conversation up to the turn, and the prompt for the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """The special token that ends a turn."""

    text: str
    id: int


class TrainingRendering:
    """Renders conversations for training with one tokenizer, whose chat template is the one to serve with.

    Every prompt is the one that `harness.models.prompts.Renderer`, and so `tft evaluate`, sends: thinking is off, the
    system message and the tools are the task's.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        task: Task,
        name: str,
        *,
        renderer: Renderer | None = None,
        source: str = _OWN,
    ) -> None:
        """`source` says where the tokenizer's template comes from: `own`, or `trl:<file>`.

        Raises ModelError where the template is missing, cannot be rendered, or ends a turn with no special token.
        """
        self.tokenizer = tokenizer
        self.source = source
        self._name = name
        self._renderer = renderer or Renderer(tokenizer, task, name)
        self._one_call = self.form.calls_as_text and not task.parallel_tool_calls
        self.day: date | None = None
        """What the template takes for today, where it asks: the template that ships says it for good."""
        self._text_end = self._find_end(_TEXT)

    @property
    def form(self) -> Form:
        """What the template takes as it is, and what is written into messages for it."""
        return self._renderer.form

    @property
    def template(self) -> str:
        """The chat template that training rendered with. The trained model has to be served with it."""
        return chat_template(self.tokenizer)

    @property
    def end_ids(self) -> tuple[int, ...]:
        """The tokens that end turns: what a generation config has to name as `eos_token_id`."""
        ends = (self._text_end,) if self.form.calls_as_text else (self._text_end, self._call_end)
        return tuple(dict.fromkeys(end.id for end in ends))

    @cached_property
    def _call_end(self) -> _End:
        return self._find_end(_CALL)

    def _find_end(self, turn: Message) -> _End:
        """Return the last special token that the template writes to close a turn."""
        kind = "call" if turn.tool_calls else "text"
        try:
            text = self._renderer.bare((_USER, turn))
        except ModelError as error:
            raise ModelError(f"the chat template of {self._name} renders no {kind} of an assistant: {error}") from error
        closed = self._special(text)
        asked = self._special(self._renderer.text((_USER, turn)))  # some close a turn otherwise where a prompt follows
        kept = [end for end in closed if end in asked] or (closed and asked[:1])
        if not kept:
            raise ModelError(
                f"the chat template of {self._name} writes no special token after an assistant's {kind}, or "
                f"not the {kind} itself ({text[-40:]!r}), so a model would not learn to stop"
            )
        return kept[-1]

    def _special(self, text: str) -> list[_End]:
        """Return the special tokens after the sentinel; none where it was not written."""
        _, written, rest = text.rpartition(_SENTINEL)
        added = self.tokenizer.added_tokens_decoder
        ids = self._encode([rest])[0] if written else []
        return [_End(text=added[one].content, id=one) for one in ids if one in added and added[one].special]

    def _encode(self, texts: list[str]) -> list[list[int]]:
        return encode(self.tokenizer, texts, self._name)

    def keep_day(self, conversations: Sequence[Conversation]) -> None:
        """Let the template say the calendar's day wherever it is rendered, if it asks for the day."""
        self.day = keep_day(self.tokenizer, self._renderer, [one.messages for one in conversations])

    def turns(self, messages: Sequence[Message]) -> list[RenderedTurn]:
        """Return the assistant turns in order; ModelError where one does not follow its prompt."""
        texts = list(self._texts(messages))
        for number, text in enumerate(texts):
            if text.answer is None:
                raise ModelError(f"{self._difference(text.prompt, text.done)} in turn {number}")
        prompts = self._encode([text.prompt for text in texts])
        # Encoded after an end mark, so that no tokenizer takes an answer for the beginning of a text.
        answers = self._encode([self._text_end.text + (text.answer or "") for text in texts])
        return [
            RenderedTurn(prompt=tuple(one), answer=tuple(other[1:]))
            for one, other in zip(prompts, answers, strict=True)
        ]

    def _texts(self, messages: Sequence[Message]) -> Iterator[_Text]:
        for position, message in enumerate(messages):
            if message.role == "assistant":
                prompt = self._renderer.text(messages[:position])
                done = self._renderer.text(messages[: position + 1])
                end = (self._call_end if message.tool_calls and not self.form.calls_as_text else self._text_end).text
                stop = done.rfind(end, len(prompt)) + len(end)
                follows = done.startswith(prompt) and stop > len(prompt)
                yield _Text(prompt=prompt, answer=done[len(prompt) : stop] if follows else None, done=done)

    def partings(self, messages: Sequence[Message]) -> Iterator[tuple[int, str, str]]:
        """Yield (turn, expected, written) where a turn is not written after its prompt, or otherwise once more follows.

        `written` should start with `expected`, and does not.
        """
        learned = ""
        for number, text in enumerate(self._texts(messages)):
            if not text.prompt.startswith(learned):
                yield number - 1, learned, text.prompt
            if text.answer is None:
                yield number, text.prompt, text.done
            learned = text.prompt + (text.answer or "")

    def _difference(self, expected: str, written: str) -> str:
        """Return a clause that shows the first tokens in which a rendering parts from what it should begin with."""
        left, right = self._encode([expected, written])
        same = next((place for place, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), len(left))
        if same == len(left):
            return f"the chat template of {self._name} does not write {self._text_end.text!r} after what it prompts for"
        shown = [self.tokenizer.decode(ids[same : same + _SHOWN]) for ids in (right, left)]
        return f"the chat template of {self._name} writes {shown[0]!r} instead of {shown[1]!r} at token {same}"

    def pieces(self, messages: Sequence[Message]) -> list[Piece]:
        """Return the conversation up to its last assistant turn, as few sequences as are exact.

        One sequence serves all turns where every prompt starts with the prompt and answer before it, token by
        token. Some tokenizers join the end of a prompt with the beginning of an answer, once it is there; a new
        piece begins after such a turn. Raises ModelError as `turns` does.
        """
        pieces: list[Piece] = []
        ids: tuple[int, ...] = ()
        for number, turn in enumerate(self.turns(messages)):
            whole = turn.prompt + turn.answer
            span = (len(turn.prompt), len(whole))
            if pieces and turn.prompt[: len(ids)] == ids:
                pieces[-1] = Piece(ids=whole, spans=(*pieces[-1].spans, span), first=pieces[-1].first)
            else:
                pieces.append(Piece(ids=whole, spans=(span,), first=number))
            ids = whole
        return pieces

    def check(self, conversations: Sequence[Conversation]) -> None:
        """Raise ModelError with the first differing tokens where serving would show a turn otherwise than learned."""
        first, broken, turns = "", 0, 0
        for conversation in conversations:
            if self._one_call and any(len(one.tool_calls) > 1 for one in conversation.messages):
                raise ModelError(f"{self._name} takes calls as text, one per turn; {conversation.id} has several")
            turns += sum(message.role == "assistant" for message in conversation.messages)
            found = list(self.partings(conversation.messages))
            broken += len({turn for turn, _, _ in found})
            if found and not first:
                turn, expected, written = found[0]
                first = f"{self._difference(expected, written)}, in turn {turn} of conversation {conversation.id}"
        if broken:
            raise ModelError(f"{first}; so it is with {broken} of {turns} turns")


def choose_rendering(
    tokenizer: PreTrainedTokenizerBase,
    task: Task,
    name: str,
    conversations: Sequence[Conversation],
    *,
    calendar: Calendar | None = None,
) -> TrainingRendering:
    """Return the first rendering in which every turn stays as it was learned, regardless of what follows.

    The tokenizer's own template is tried, then the variant for training that TRL has of it. Where the template
    thinks unless told not to, the rendering's template does not: what was trained is the default. Where it asks for the
    day, the rendering's template says that of the calendar. `tokenizer` stays as it is. Raises ModelError with
    conversation, turn and the first differing tokens where no template will do.
    """
    whole = [one.messages for one in conversations]
    reasons: list[str] = []
    for source, candidate in _candidates(tokenizer, task, name):
        try:
            renderer = whole_renderer(candidate, task, name, whole, calendar=calendar)
            rendering = TrainingRendering(candidate, task, name, renderer=renderer, source=source)
            rendering.check(conversations)
        except ModelError as error:
            reasons.append(f"With the template {source}: {error}")
            continue
        rendering.keep_day(conversations)
        switch_thinking_off(candidate)
        return rendering
    raise ModelError(
        f"{name} cannot be trained as it would be served. {'. '.join(reasons)}. "
        "Correct that conversation if it is odd, or give the model a chat template that keeps what it prompted for"
    )


def _candidates(
    tokenizer: PreTrainedTokenizerBase, task: Task, name: str
) -> Iterator[tuple[str, PreTrainedTokenizerBase]]:
    Renderer(tokenizer, task, name, NATIVE)  # says what to do where there is no template at all
    own = chat_template(tokenizer)
    variant = training_variant(own)
    for source, template in ((_OWN, own), *([(f"trl:{variant.name}", variant.read_text("utf-8"))] if variant else [])):
        candidate = copy.copy(tokenizer)
        candidate.chat_template = template
        yield source, candidate
