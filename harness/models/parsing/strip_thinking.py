"""The answer part of a raw text: without the thinking before it and the end tokens after it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.models.parsing.literals import skip_space

THINKING = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<mm:think>", "</mm:think>"),
    ("◁think▷", "◁/think▷"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel>thought", "<channel|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<|plamo:begin_think:plamo|>", "<|plamo:end_think:plamo|>"),
    ("<|channel|>analysis<|message|>", "<|end|>"),
    ("<|start|>assistant<|channel|>analysis<|message|>", "<|end|>"),
    ("to=self<|message|>", "<|eom|>"),
    ("<|open|>think<|sep|>", "<|close|>think<|sep|>"),
    ("<ifm|think>", "</ifm|think>"),
    ("<ifm|think_fast>", "</ifm|think_fast>"),
    ("<ifm|think_faster>", "</ifm|think_faster>"),
    ("<|content_thinking|>", "<|end_message|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<longcat_think>", "</longcat_think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
)
"""How a model opens and closes its thinking."""

_CLOSINGS = dict(THINKING)
_TURNS = ("<|end|>", "<|eom|>", "<|end_message|>")
"""Closing marks that end other messages, too."""

END_TOKENS = (
    "<|im_end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|eot|>",
    "<|eom|>",
    "<|end|>",
    "<|call|>",
    "<|return|>",
    "</s>",
    "<eos>",
    "<end_of_turn>",
    "<turn|>",
    "<|tool_response>",
    "<start_function_response>",
    "<｜end▁of▁sentence｜>",
    "<|END_OF_TURN_TOKEN|>",
    "<|user|>",
    "<|observation|>",
    "<seed:eos>",
    "[e~[",
    "<|assistant_end|>",
    "<|plamo:tag|>",
    "<|end_message|>",
    "<|content_model_end_sampling|>",
)
"""Tokens that end a turn; they reach the text where the engine does not skip special tokens."""

_MAX_STRIPPED = 32
_OPENING = re.compile("|".join(re.escape(mark) for mark, _ in THINKING) + r"|<think:[^\s<>]{1,40}+>")
_MARK = re.compile("|".join(re.escape(mark) for pair in THINKING for mark in pair))
_UNMARKED = re.compile(r"(?:assistant)?analysis(?=[A-Z\"'`(])")
"""What is left of harmony's marks where special tokens were skipped."""
_AFTER_UNMARKED = re.compile(r"assistant(?=commentary|final|analysis)")


def opens_thinking(prompt: str) -> bool:
    """Return whether a prompt ends in a block of thinking that it opens."""
    return prompt.rstrip().endswith(tuple(opening for opening, _ in THINKING))


def answers(text: str) -> Iterator[tuple[str, int]]:
    """Yield (text, position) of what may be the answer, the likeliest first; a call must end after `position`.

    A leading block of thinking is dropped, and one that never ends leaves nothing. A closing mark without an
    opening one ends thinking that the prompt opened, unless it turns out to stand inside a call.
    """
    body = _without_end_tokens(text)
    start, opened = _after_leading(body)
    body = body[start:]
    if start and not body:
        return
    cut = _end_of_prefilled(body, opened)
    if cut is None:
        yield body, 0
    else:
        place, close = cut
        yield body[place + len(close) :], 0
        yield body, place + 1


def split_thinking(text: str) -> tuple[str, str | None] | None:
    """Return the thinking before an answer and the answer, None for one that never comes; None where there is none.

    The thinking is without its marks. It opens the text, or was opened by the prompt; blocks of nothing do not count.
    """
    start, _ = _after_leading(text)
    head, rest = text[:start], text[start:]
    if not start:
        cut = _end_of_prefilled(text, set())
        if cut is None:
            return None
        head, rest = text[: cut[0] + len(cut[1])], text[cut[0] + len(cut[1]) :]
        if not (text[: cut[0]].endswith("\n") or rest.startswith(("\n", "<", "{", "["))):
            return None  # a sentence that speaks of the mark
    words = _MARK.sub("", head).strip()
    ended = bool(rest) or head.rstrip().endswith(tuple(_CLOSINGS.values()))
    return (words, rest if ended else None) if words else None


def _end_of_prefilled(body: str, opened: set[str]) -> tuple[int, str] | None:
    """Return where the thinking ends that the prompt opened: at a first closing mark that nothing in the text opens."""
    cuts: list[tuple[int, str]] = []
    for opening, close in THINKING:
        if close in _TURNS or close in opened:
            continue
        place = body.find(close)
        if place >= 0 and body.find(opening, 0, place) < 0:
            cuts.append((place, close))
    return min(cuts, default=None)


def skip_thinking(text: str, limit: int) -> int:
    """Return where the text goes on after all thinking that opens before `limit`; its end where one never closes."""
    position = 0
    for _ in range(_MAX_STRIPPED):
        match = _OPENING.search(text, position, limit)
        if match is None:
            break
        position = _end_of_thinking(text, match)
        if position >= limit:
            break
    return position


def first_thinking(text: str) -> int:
    """Return where the first block of thinking ends, 0 where there is none."""
    match = _OPENING.search(text)
    return _end_of_thinking(text, match) if match else 0


def _closing(opening: re.Match[str]) -> str:
    mark = opening.group()
    return _CLOSINGS.get(mark) or f"</{mark[1:]}"


def _end_of_thinking(text: str, opening: re.Match[str]) -> int:
    """Return where the thinking ends that a mark opens, the end of the text where nothing closes it."""
    close = _closing(opening)
    end = text.find(close, opening.end())
    if close == "<|end|>":
        # The next message of harmony ends its thinking too.
        turn = text.find("<|start|>assistant", opening.end())
        if turn >= 0 and (end < 0 or turn < end):
            return turn
    return end + len(close) if end >= 0 else len(text)


def _without_end_tokens(text: str) -> str:
    text = text.rstrip()
    for _ in range(_MAX_STRIPPED):
        token = next((token for token in END_TOKENS if text.endswith(token)), None)
        if token is None:
            break
        text = text[: -len(token)].rstrip()
    return text


def _after_leading(text: str) -> tuple[int, set[str]]:
    """Return where the text begins after the thinking before it, and which marks closed that."""
    position = skip_space(text, 0)
    opened: set[str] = set()
    for _ in range(_MAX_STRIPPED):
        if match := _OPENING.match(text, position):
            opened.add(_closing(match))
            position = _end_of_thinking(text, match)
        elif match := _UNMARKED.match(text, position):
            following = _AFTER_UNMARKED.search(text, match.end())
            position = following.start() if following else len(text)
        else:
            break
        position = skip_space(text, position)
    return position, opened
