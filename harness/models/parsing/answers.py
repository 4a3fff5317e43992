"""What of a raw text is the answer: without the thinking before it and the end tokens after it."""

from __future__ import annotations

from collections.abc import Iterator

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
)
"""How a model opens and closes its thinking."""

_PREFILLED = tuple(close for open_, close in THINKING if close not in ("<|end|>", "<|eom|>"))
"""Closing marks that may come without an opening one, because some chat templates write that into the prompt."""

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


def answers(text: str) -> Iterator[tuple[str, int]]:
    """Yield (text, position) of what may be the answer, the likeliest first; a call must end after `position`.

    A leading block of thinking is dropped, and one that never ends leaves nothing. A closing mark without an
    opening one ends thinking that the prompt opened, unless it turns out to stand inside a call.
    """
    body = _without_end_tokens(text)
    thought = _without_thinking(body)
    if thought is None:
        return
    body = thought
    cuts = [(body.find(close), close) for close in _PREFILLED]
    first = min(((place, close) for place, close in cuts if place >= 0), default=None)
    if first is not None:
        place, close = first
        yield body[place + len(close) :], 0
        yield body, place + 1
    else:
        yield body, 0


def _without_end_tokens(text: str) -> str:
    text = text.rstrip()
    for _ in range(_MAX_STRIPPED):
        token = next((token for token in END_TOKENS if text.endswith(token)), None)
        if token is None:
            break
        text = text[: -len(token)].rstrip()
    return text


def _without_thinking(text: str) -> str | None:
    text = text.lstrip()
    for _ in range(_MAX_STRIPPED):
        pair = next((pair for pair in THINKING if text.startswith(pair[0])), None)
        if pair is None:
            return text
        end = text.find(pair[1], len(pair[0]))
        if end < 0:
            return None
        text = text[end + len(pair[1]) :].lstrip()
    return text
