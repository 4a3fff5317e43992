"""Files of predictions, in the published layout or that of our results, as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.formats.calls import parse_answer, parse_call
from harness.data.formats.jsonl import read_jsonl
from harness.data.formats.row_layouts import parse_row
from harness.data.formats.task import row_tools
from harness.data.records import Case, Message, ToolCall
from harness.errors import DataError
from harness.evaluation.infer_conversations import Conversations, said
from harness.models import parsing
from harness.models.parsing import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedRow:
    """One row of a file: what was asked, the reference, and what the model said."""

    line: int
    row: dict[str, Any]
    """The row as it was read."""
    id: str
    conversation: str
    turn: int
    references: tuple[ToolCall, ...]
    """The calls of the turn, one or several."""
    prediction: str | None
    """None where the model gave no answer."""
    reading: Reading | None
    """The lenient reading of the prediction."""
    prefix: tuple[Message, ...] | None
    """The conversation up to the turn; None in results rows, which leave it to the test set."""
    sample: int = 0
    """Which of several answers to the pair it is."""

    @property
    def key(self) -> str:
        """Return what no other row of the file has."""
        return f"{self.id} sample {self.sample}" if self.sample else self.id

    @property
    def reference(self) -> ToolCall:
        """The turn's call; of several the first."""
        return self.references[0]

    @property
    def call(self) -> ToolCall | None:
        """The call that was read from the prediction; of several the first."""
        return self.reading.call if self.reading else None

    def case(self, prefix: tuple[Message, ...] | None = None) -> Case | None:
        """Return the row as a case for a judge. A known `prefix` wins.

        None where there is no prediction, or the turn has several calls: a judge is asked about one.
        """
        if self.prediction is None or len(self.references) > 1:
            return None
        return Case(
            id=self.key,
            conversation=self.conversation,
            prefix=(self.prefix if prefix is None else prefix) or (),
            reference=self.reference,
            prediction=self.prediction,
            call=self.call,
        )

    def case_within(self, path: Path, prefixes: Mapping[str, tuple[Message, ...]]) -> Case | None:
        """Return the row of `path` as a case, its conversation from `prefixes` where it has none; DataError without."""
        if self.prefix is None and self.id not in prefixes:
            where = "not in the file" + (" nor in the test set" if prefixes else "")
            advice = "name the test set that was asked: --dataset REPO"
            raise DataError.at(path, self.line, f"the conversation before {self.id} is {where}; {advice}")
        return self.case(prefixes.get(self.id, self.prefix))


Tools = Sequence[dict[str, Any]]


def read_predictions(path: Path, tools: Tools = ()) -> list[PredictedRow]:
    """Return the rows of a JSON lines file of predictions, in order; keys are unique.

    Answers are read with the row's own `tools` where it has some, else with those given: notations that write
    arguments as bare text leave their types to the schemas.

    Published rows are `{"question", "answer", "prediction", ...}`; which of them share a conversation follows
    from their questions. Results rows are `{"pair_id", "conversation", "turn", "reference", "prediction", ...}`.
    Raises DataError with file and line.
    """
    rows: list[PredictedRow] = []
    conversations = Conversations()
    known: set[str] = set()
    for line, row in read_jsonl(path):
        try:
            known_tools = row_tools(row) or tools
            made = (
                _results_row(line, row, known_tools)
                if "pair_id" in row
                else _published_row(line, row, conversations, known_tools)
            )
        except ValueError as error:
            raise DataError.at(path, line, f"{error}; expected a row of predictions") from error
        if made.key in known:
            raise DataError.at(path, line, f"a second row of {made.key}; keep one")
        known.add(made.key)
        rows.append(made)
    if not rows:
        raise DataError(f"{path} has no rows; expected one prediction per line")
    return rows


def _published_row(line: int, row: dict[str, Any], conversations: Conversations, tools: Tools) -> PredictedRow:
    if row.get("question") is None:
        raise ValueError('neither "question" and "answer" nor "pair_id"')
    messages = _messages(row)
    if not messages[-1].tool_calls:
        raise ValueError('the "answer" is no tool call')
    conversation = conversations.name(said(messages))
    *prefix, last = messages
    raw = _prediction(row)
    return PredictedRow(
        line=line,
        row=row,
        # Published files may hold the same turn twice (several samples); the line keeps them apart.
        id=f"line-{line:04d}",
        conversation=conversation,
        turn=sum(message.role == "assistant" for message in prefix),
        references=last.tool_calls,
        prediction=raw,
        reading=_read(raw, tools),
        prefix=tuple(prefix),
    )


def _messages(row: dict[str, Any]) -> tuple[Message, ...]:
    """Return the messages of a published row; contents in parts, and other things that frameworks log, are accepted."""
    try:
        return parse_row(row, id="row").messages
    except ValueError:
        try:
            return parse_row(row, id="row", strict=False).messages
        except ValueError:
            pass
        raise  # the strict reading's words


def _results_row(line: int, row: dict[str, Any], tools: Tools) -> PredictedRow:
    pair, conversation, turn, sample = row["pair_id"], row.get("conversation"), row.get("turn"), row.get("sample", 0)
    if not isinstance(pair, str) or not isinstance(conversation, str) or not isinstance(turn, int):
        raise ValueError('"pair_id" and "conversation" must be text and "turn" a whole number')
    if not isinstance(sample, int) or isinstance(sample, bool) or sample < 0:
        raise ValueError('"sample" must be its number, from 0')
    raw = _prediction(row)
    return PredictedRow(
        line=line,
        row=row,
        id=pair,
        conversation=conversation,
        turn=turn,
        references=_references(row.get("reference")),
        prediction=raw,
        reading=_read(raw, tools),
        prefix=None,
        sample=sample,
    )


def _references(value: Any) -> tuple[ToolCall, ...]:
    if value and isinstance(value, dict | list):
        return tuple(map(parse_call, value if isinstance(value, list) else [value]))
    calls = parse_answer(value) if isinstance(value, str) else ()
    if not calls:
        raise ValueError('the "reference" is no tool call')
    return calls


def _prediction(row: dict[str, Any]) -> str | None:
    if "prediction" not in row:
        raise ValueError('no "prediction" (null where the model gave no answer)')
    value = row["prediction"]
    if value is not None and not isinstance(value, str):
        raise ValueError(f'"prediction" must be text or null, got {type(value).__name__}')
    return value


def _read(raw: str | None, tools: Tools) -> Reading | None:
    return None if raw is None else parsing.read(raw, tools=tools)


_LABELS = {"1": 1.0, "1.0": 1.0, "true": 1.0, "good": 1.0, "0": 0.0, "0.0": 0.0, "false": 0.0, "bad": 0.0}


def parse_label(path: Path, row: PredictedRow, column: str) -> float | None:
    """Return a row's label, 1.0 good or 0.0 bad; None where it has none. DataError for anything else."""
    value = row.row.get(column)
    if value is None:
        return None
    label = _LABELS.get(str(value).strip().lower())
    if label is None:
        raise DataError.at(path, row.line, f"{column} is {value!r}; expected good or bad, 1 or 0, true or false, null")
    return label
