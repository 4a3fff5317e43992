"""What the student's files decide about a training, in the guarded child process: examples, and its tokenizer.

The functions of `harness.models.engine.guard` go there pickled, and come back as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from harness.data.records import Conversation, Task
from harness.models.engine.guard import Guard
from harness.models.engine.guard_child import doing
from harness.models.prompts import Calendar, load_tokenizer
from harness.training.examples import Example, TrainingExamples, make_examples

_MODULES = ("transformers.models.auto.tokenization_auto", "harness.training.student_files")
_SECONDS_EACH = 1.0
"""Of the processor, for each conversation, in addition to what a guard allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """How the conversations of a training were rendered."""

    source: str
    """Where the template comes from: `own`, or `trl:<file>`."""
    form: dict[str, Any]
    """What the template takes as it is, as a run records it."""
    template: str
    """The chat template that the trained model has to be served with."""
    day: date | None
    """What the template takes for today, where it asks."""
    end_ids: tuple[int, ...]
    """The tokens that end turns."""
    pad: int
    """Any token: padding is masked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToRender:
    """Conversations, the student that they are rendered for, and how."""

    folder: Path
    """Of the student's files."""
    name: str
    """The student's, for messages."""
    task: Task
    conversations: Sequence[Conversation]
    expand_turns: bool
    max_length: int | None


def render_guarded(what: ToRender, calendar: Calendar) -> tuple[Rendered, TrainingExamples]:
    """Render conversations and make examples of them with the student's own tokenizer, in a child with limits.

    Raises what `choose_rendering` and `make_examples` raise, and ModelError where the files meet a limit.
    """
    with Guard(what.name) as guard:
        guard.start(*_MODULES)
        seconds = _SECONDS_EACH * len(what.conversations)
        made = guard.call(_render, what, calendar.day, calendar.named, seconds=seconds)
    found, day = made["rendered"], made["rendered"]["day"]
    rendered = Rendered(**{**found, "day": date.fromisoformat(day) if day else None, "end_ids": (*found["end_ids"],)})
    items = [
        Example(input_ids=tuple(ids), turns=tuple((start, end) for start, end in turns), source=source)
        for ids, turns, source in made["items"]
    ]
    return rendered, TrainingExamples(
        items=tuple(items), skipped=made["skipped"], split=made["split"], day=rendered.day
    )


def _render(what: ToRender, day: date, named: bool) -> dict[str, Any]:
    from harness.training.rendering import choose_rendering

    tokenizer, some = load_tokenizer(what.folder, what.name), what.conversations
    calendar = Calendar(day, named=named)
    rendering = choose_rendering(tokenizer, what.task, what.name, some, calendar=calendar)
    examples = make_examples(some, rendering, expand_turns=what.expand_turns, max_length=what.max_length)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    rendered = Rendered(
        source=rendering.source,
        form=rendering.form.record(),
        template=rendering.template,
        day=rendering.day,
        end_ids=rendering.end_ids,
        pad=int(pad or 0),
    )
    return {
        "rendered": {**asdict(rendered), "day": rendering.day.isoformat() if rendering.day else None},
        "items": [(one.input_ids, one.turns, one.source) for one in examples.items],
        "skipped": examples.skipped,
        "split": examples.split,
    }


def write_tokenizer(source: Path, name: str, rendered: Rendered, out: Path) -> None:
    """Write the tokenizer with its template, and the generation settings with the tokens that end a turn, to `out`.

    Raises ModelError where the files in `source` do not allow it.
    """
    with Guard(name) as guard:
        guard.call(_write, source, name, rendered.template, sorted(rendered.end_ids), out)


def _write(source: Path, name: str, template: str, end_ids: list[int], out: Path) -> None:
    from transformers import GenerationConfig

    tokenizer = load_tokenizer(source, name)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(out)
    doing("the generation_config.json")
    known = (source / "generation_config.json").is_file()
    settings = GenerationConfig.from_pretrained(source) if known else GenerationConfig()
    settings.eos_token_id = end_ids  # a model must know to stop
    settings.save_pretrained(out)
