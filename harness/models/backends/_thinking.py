"""Thinking before an answer: in room of its own, closed by us where that is used up, and apart from what is scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from harness.data.records import Prediction, Thought, ThoughtEnd, Usage
from harness.errors import EngineError, UsageError
from harness.hub.artifact import Artifact
from harness.models.backends._base import EvaluateConfig
from harness.models.chat.completions import repeats_itself
from harness.models.prompts import Prompt
from harness.models.prompts.thinking import Thinking

THINKING_TOKENS = 4096
"""Longest thinking, where nothing else is said; what the answer may have comes on top."""
_STEP = 1024
"""Tokens of thinking that are asked for at once, so that one that runs in circles is stopped before its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """What an engine writes for one request."""

    text: str
    token_ids: tuple[int, ...]
    """Where they were asked for; a mark at which it stopped is among them, and not in the text."""
    finish_reason: str | None
    stop_reason: int | str | None
    """The token or text at which it was told to stop; None at the end of the turn, or of its room."""
    usage: Usage | None

    def prediction(self, pair_id: str) -> Prediction:
        """Return it as a whole answer."""
        return Prediction(pair_id=pair_id, raw=self.text, finish_reason=self.finish_reason, usage=self.usage)


class Engine(Protocol):
    """What writes on."""

    async def piece(self, token_ids: Sequence[int], max_tokens: int, more: Mapping[str, Any], /) -> Continuation:
        """Return the continuation of tokens; `more` goes into the request."""

    async def text_of(self, token_ids: Sequence[int], /) -> str:
        """Return what the tokenizer writes for tokens, special ones included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingRoom:
    """How a model thinks, and how long it may."""

    thinking: Thinking
    tokens: int
    context: int | None
    """Most tokens of a prompt with all that follows it; None where it is unknown."""

    def left(self, prompt: Prompt, max_tokens: int) -> int:
        """Return the most tokens of thinking that leave an answer its `max_tokens`, at least 0."""
        if self.context is None:
            return self.tokens
        used = len(prompt.token_ids) + max_tokens + len(self.thinking.closing_ids)
        return max(0, min(self.tokens, self.context - used))

    @property
    def stop(self) -> dict[str, Any]:
        """What lets a request end at the closing mark."""
        token = self.thinking.closing_id
        at: dict[str, Any] = {"stop": [self.thinking.closing]} if token is None else {"stop_token_ids": [token]}
        return {**at, "return_token_ids": True}

    def closes(self, piece: Continuation) -> bool:
        """Whether a piece ended at the closing mark; models have other tokens that end a turn, too."""
        token = self.thinking.closing_id
        return piece.stop_reason is not None and piece.stop_reason in (token, self.thinking.closing)

    def begins(self, piece: Continuation) -> bool:
        """Whether what a model writes first is thinking, or may still become it."""
        text, opening = piece.text.lstrip(), self.thinking.opening
        return text.startswith(opening) or (piece.finish_reason == "length" and opening.startswith(text))


async def answer_after_thinking(engine: Engine, prompt: Prompt, room: ThinkingRoom, max_tokens: int) -> Prediction:
    """Return the answer, of at most `max_tokens`, that a model gives when it has thought, or without thinking.

    Thinking that reaches its limit or runs in circles is closed by appending the closing mark, and the answer asked
    for. A model that ends its turn while it thinks has given none. Raises what `engine` raises.
    """
    pieces, end = await _think(engine, prompt, room, max_tokens)
    if end is None:
        whole = len(pieces) == 1 and pieces[0].finish_reason == "stop" and not room.closes(pieces[0])
        whole = whole and len(pieces[0].token_ids) <= max_tokens
        found = pieces[0] if whole else await engine.piece(prompt.token_ids, max_tokens, {})
        return found.prediction(prompt.pair_id)
    text = "".join(piece.text for piece in pieces).strip().removeprefix(room.thinking.opening).strip()
    used = sum(len(piece.token_ids) for piece in pieces)
    thought = Thought(text=text, tokens=used, end=end)
    if end == "unclosed":
        error = f"the model ended its turn inside its thinking, after {used} tokens"
        answer = replace(pieces[-1].prediction(prompt.pair_id), raw=None, error=error)
        return replace(answer, usage=_usage(pieces), thought=thought)
    ids = _after(prompt, pieces) + (() if end == "closed" else room.thinking.closing_ids)
    said = await engine.piece(ids, max_tokens, {})
    raw = await _beside_mark(engine, room, pieces, end) + said.text
    return replace(said.prediction(prompt.pair_id), raw=raw, usage=_usage([*pieces, said]), thought=thought)


async def _think(
    engine: Engine, prompt: Prompt, room: ThinkingRoom, max_tokens: int
) -> tuple[list[Continuation], ThoughtEnd | None]:
    """Return what a model thinks, and how it ended; None where it does not begin to think."""
    limit, single = room.left(prompt, max_tokens), room.thinking.closing_id is not None
    step = _STEP if single else limit  # the engine does not see a mark of several tokens that two requests share
    pieces: list[Continuation] = []
    used = 0
    while used < limit:
        # What may be no thinking at all gets the room of an answer first.
        most = min(step, max_tokens) if single and not prompt.opened and not pieces else step
        piece = await engine.piece(_after(prompt, pieces), min(most, limit - used), room.stop)
        if not piece.token_ids:
            raise EngineError("the inference engine sent no token ids; without them no thinking can be limited")
        pieces.append(piece)
        used += len(piece.token_ids)
        if not prompt.opened and len(pieces) == 1 and not room.begins(piece):
            return pieces, None
        if piece.finish_reason != "length":
            return pieces, "closed" if room.closes(piece) else "unclosed"
        if repeats_itself("".join(one.text for one in pieces)):
            return pieces, "repeated"
    return pieces, "limit" if prompt.opened or pieces else None


async def _beside_mark(engine: Engine, room: ThinkingRoom, pieces: Sequence[Continuation], end: str) -> str:
    """Return what the last token of a closing mark of several tokens has beyond the mark: the answer's beginning."""
    if end != "closed" or room.thinking.closing_id is not None:
        return ""
    written = await engine.text_of(pieces[-1].token_ids)
    return written.partition(room.thinking.closing)[2]


def _after(prompt: Prompt, pieces: Sequence[Continuation]) -> tuple[int, ...]:
    return (*prompt.token_ids, *(token for piece in pieces for token in piece.token_ids))


def _usage(pieces: Sequence[Continuation]) -> Usage | None:
    """Return the tokens of the prompt, counted once, and all that the model wrote."""
    counts = [piece.usage for piece in pieces if piece.usage]
    first = counts[0] if counts else None
    return first and replace(first, completion=sum(one.completion for one in counts))


class Thinker(Protocol):
    """A model that is not yet known to think."""

    artifact: Artifact
    last: bool

    @property
    def thinks(self) -> bool: ...
    def get_ready(self) -> None: ...
    def choose_thinking(self) -> None: ...


Model = TypeVar("Model", bound=Thinker)


def with_settings(make: Callable[[EvaluateConfig], Model], config: EvaluateConfig) -> list[Model]:
    """Return a model as often as thinking has settings, each with one of them; see `choose_thinking` for errors."""
    made = [make(replace(config, thinking=(one,))) for one in config.thinking]
    for one in made[:-1]:
        one.last = False
    for one in made:
        one.get_ready()
        one.choose_thinking()
    if config.thinking_tokens and not any(one.thinks for one in made):
        raise UsageError(
            f"--thinking-tokens limits thinking, and {made[0].artifact} does not think here; leave it out, or "
            "ask for thinking with --thinking"
        )
    return made
