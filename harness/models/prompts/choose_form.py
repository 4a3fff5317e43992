"""Which form a chat template renders without leaving anything out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from harness.data.formats.messages import without_system
from harness.data.records import Message, Task, TurnPair
from harness.errors import ModelError
from harness.models.prompts.calendar import Calendar
from harness.models.prompts.form import NATIVE, Form, native_forms, text_forms
from harness.models.prompts.probe import Probe, make_probes, names_tools, shows_parts
from harness.models.prompts.renderer import THINKING_OFF, Renderer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_THOUGHT, _SAID = "Qz9001Vx", "Qz9002Vx"
_THINKING = (
    Message(role="user", content="Hello."),
    Message(role="assistant", content=f"<think>\n{_THOUGHT}\n</think>\n\n{_SAID}"),
    Message(role="user", content="Go on."),
)


def fitting_renderer(
    tokenizer: PreTrainedTokenizerBase,
    task: Task,
    name: str,
    pairs: Sequence[TurnPair],
    *,
    calendar: Calendar | None = None,
    thinking: Mapping[str, Any] = THINKING_OFF,
) -> Renderer:
    """Return a renderer in the most native form in which the chat template leaves nothing of these pairs out.

    Their last answers are looked for too, so that a model is evaluated in the form in which it is trained on whole
    conversations. `thinking` is as in `Renderer`. Raises ModelError as `whole_renderer` does.
    """
    longest, answered = whole_conversations(pairs)
    make = partial(Renderer, tokenizer, task, name, calendar=calendar or Calendar(), thinking=thinking)
    return _fitting(make, task, longest, answered)


def whole_conversations(pairs: Sequence[TurnPair]) -> tuple[list[tuple[Message, ...]], list[tuple[Message, ...]]]:
    """Return the longest prefix of each conversation, and the same with its answer and what would follow that."""
    last = list({pair.conversation: pair for pair in pairs}.values())
    longest = [pair.prefix for pair in last]
    following = Counter(after.role for one in longest for call, after in pairwise(one) if call.tool_calls)
    role = following.most_common(1)[0][0] if following else "tool"
    answered = [
        (
            *pair.prefix,
            Message(role="assistant", tool_calls=pair.calls),
            *(Message(role=role, content="", tool_call_id=call.id) for call in pair.calls),
        )
        for pair in last
    ]
    return longest, answered


def whole_renderer(
    tokenizer: PreTrainedTokenizerBase,
    task: Task,
    name: str,
    longest: Sequence[Sequence[Message]],
    *,
    like: Sequence[Sequence[Message]] | None = None,
    calendar: Calendar | None = None,
) -> Renderer:
    """Return a renderer in the most native form in which the chat template leaves nothing of conversations out.

    What is looked for are the unique words of probes that are built `like` conversations, by default these; then the
    conversations themselves are rendered, because some templates refuse what they do not take. Raises ModelError where
    no form will do: with what the template leaves out, or with its own reason.
    """
    make = partial(Renderer, tokenizer, task, name, calendar=calendar or Calendar())
    return _fitting(make, task, longest, longest if like is None else like)


def _fitting(
    make: Callable[[Form], Renderer],
    task: Task,
    longest: Sequence[Sequence[Message]],
    like: Sequence[Sequence[Message]],
) -> Renderer:
    """Return the renderer in the first form that loses nothing; see `whole_renderer`."""
    plain = make(NATIVE)
    name = plain.name
    probes = make_probes(like, task)
    lost: dict[bool, list[str]] = {}
    first_error: ModelError | None = None
    for form in _forms(plain):
        plain.calendar.formats.clear()  # what a form that is not taken asks for does not count
        renderer = make(form)
        try:
            missing = _left_out(renderer, probes, task)
            for prefix in () if missing else longest:
                renderer.text(prefix)
        except ModelError as error:
            first_error = first_error or error
            continue
        if not missing:
            renderer.left_out = _left_out_by_design(renderer, longest)
            return renderer
        lost.setdefault(form.tools_in_template, missing)
    raise _refusal(name, lost) if lost else first_error or ModelError(f"the chat template of {name} renders nothing")


def _refusal(name: str, lost: Mapping[bool, Sequence[str]]) -> ModelError:
    """Return the error that says what is left out natively, and what with tools and calls as text."""
    said = [
        f"{', '.join(missing)}{'' if native else ' (with tools and calls as text)'}" for native, missing in lost.items()
    ]
    said = said[:1] if len({*map(tuple, lost.values())}) == 1 else said
    return ModelError(
        f"the chat template of {name} leaves out or changes {'; and '.join(said)}; use a model whose template shows "
        "whole conversations, or correct chat_template.jinja in its repository"
    )


def _forms(plain: Renderer) -> list[Form]:
    """Return the forms to try, in order. A template that tools do not change gets them as text."""
    try:
        uses_tools = plain.template_uses_tools()
    except ModelError:  # even for a plain message
        uses_tools = True
    return [*(native_forms() if uses_tools else ()), *text_forms()]


def _left_out(renderer: Renderer, probes: Iterable[Probe], task: Task) -> list[str]:
    """Return, in words, what is missing in the renderings of any of the probes."""
    found: dict[str, None] = {}
    for probe in probes:
        text = renderer.text_below(probe.around(renderer.system), probe.messages)
        if not names_tools(text, task):
            found["definitions of tools"] = None
        if renderer.form.content_parts and shows_parts(text):
            found["contents as text"] = None
        if renderer.form.null_content and _writes_none(renderer, probe, text):
            found["contents as text"] = None
        found |= dict.fromkeys(probe.left_out(text))
    return list(found)


def _writes_none(renderer: Renderer, probe: Probe, text: str) -> bool:
    """Return whether a template writes the content null as `None` instead of nothing."""
    try:
        other = renderer.in_form(replace(renderer.form, null_content=False))
        return text.count("None") > other.text_below(probe.around(renderer.system), probe.messages).count("None")
    except ModelError:  # only null is taken
        return False


def _left_out_by_design(renderer: Renderer, prefixes: Iterable[Sequence[Message]]) -> tuple[str, ...]:
    """Return what a template drops on purpose of conversations that have it."""
    said = (message.content or "" for prefix in prefixes for message in without_system(prefix))
    if not any("</think>" in text for text in said):
        return ()
    try:
        text = renderer.text(_THINKING)
    except ModelError:
        return ()
    return ("thinking of earlier turns",) if _SAID in text and _THOUGHT not in text else ()
