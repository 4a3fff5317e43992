"""Thinking through an evaluation: kept beside the answer and counted, and never scored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from harness.data.formats.jsonl import read_jsonl
from harness.data.records import TurnPair
from harness.data.sample import sample_task
from harness.data.tasks import TestSet
from harness.evaluation.metrics import metric_names
from harness.evaluation.report_json import dump_report, load_report, read_report
from harness.evaluation.run_folder import RunPlace
from harness.evaluation.scorecard import Scorecard, make_scorecard
from harness.hub.artifact import Artifact
from harness.models import parsing
from harness.models.backends._base import EvaluateConfig
from harness.models.backends._thinking import with_settings
from harness.models.backends.vllm import EvaluatedCheckpoint
from harness.models.chat.chat_models import ChatSettings
from harness.models.engine.checkpoint import Checkpoint
from harness.models.engine.server import Server, SharedEngine
from harness.models.names import ModelName
from harness.models.prompts import load_tokenizer
from harness.stages.evaluate import answer
from support.token_engine import TokenEngine

NAME = "ada/thinker"
DECOY = '<tool_call>\n{"name": "book_table", "arguments": {"town": "Nowhere"}}\n</tool_call>'
MOST = 200
LIMIT = 160
PAIRS = 12


def _thought(place: int) -> str:
    """Return what is thought before the answer of a pair; some of it is long, and some quotes a call."""
    words = " ".join(f"The user wants table {number}." for number in range((1, 2, 40)[place % 3]))
    return words + (DECOY if place % 4 == 0 else "")


def _answer(place: int, text: str) -> str:
    """Return an answer: right, wrong in an argument, in prose, or none at all."""
    return [text, text.replace('"arguments": {', '"arguments": {"town": "Nowhere", '), f"So: {text}", "Hello!"][
        place % 4
    ]


class _Shared:
    """One server for all."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def serves(self, artifact: Artifact) -> bool:
        return True

    def serve(self, checkpoint: Checkpoint, log: Path) -> Server:
        return self.server


@pytest.fixture(scope="module")
def folder(student: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The student with a template that opens a block of thinking whatever it is told."""
    made = tmp_path_factory.mktemp("thinker")
    for path in student.iterdir():
        (made / path.name).write_bytes(path.read_bytes())
    template = (made / "chat_template.jinja").read_text()
    head, mark, _ = template.partition("{%- if not enable_thinking -%}")
    assert mark
    (made / "chat_template.jinja").write_text(head + '{{ "<think>\\n" -}}\n{%- endif -%}\n')
    return made


@pytest.fixture(scope="module")
def tests(test_set: list[TurnPair]) -> TestSet:
    data = Artifact(kind="dataset", repo_id="ada/sample", revision="b" * 40)
    return TestSet(artifact=data, task=sample_task(), pairs=tuple(test_set[:PAIRS]), total=PAIRS)


@contextmanager
def _engine(folder: Path, model: EvaluatedCheckpoint, says: Callable[[int], tuple[str, str]]) -> Iterator[Server]:
    """Serve recorded answers: `says` gives the text of a pair before its answer, and that, by the pair's place."""
    tokenizer: Any = load_tokenizer(folder, NAME)
    [end, close] = tokenizer.convert_tokens_to_ids(["<|im_end|>", "</think>"])

    def encode(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    told: dict[tuple[int, ...], tuple[list[int], list[int]]] = {}
    model.make_prompts()
    for place, prompt in enumerate(model.asked.values()):
        before, answer = says(place)
        told[prompt.token_ids] = (encode(before), [*encode(answer), end])

    def writes(ids: Sequence[int]) -> int:
        start = max((one for one in told if tuple(ids[: len(one)]) == one), key=len)
        said, (before, answer) = list(ids[len(start) :]), told[start]
        if not before:
            return answer[len(said)]
        if close in said:
            return answer[len(said) - said.index(close) - 1]
        return before[len(said)]

    engine = TokenEngine(
        writes=writes, decode=lambda ids: str(tokenizer.decode(list(ids))), ends=frozenset({end}), context=4096
    )
    with engine.serving() as server:
        yield server


@pytest.fixture
def evaluate(folder: Path, student: Path, tests: TestSet, tmp_path: Path) -> Callable[..., Scorecard]:
    """Evaluate recorded answers of a model that thinks, or of the student that does not."""

    def run(says: Callable[[int], tuple[str, str]], *, thinks: bool = True, tokens: int | None = None) -> Scorecard:
        artifact = Artifact(kind="model", repo_id=NAME, revision="1" * 40)
        place = folder if thinks else student
        checkpoint = Checkpoint(
            artifact=artifact, folder=place, config={"max_position_embeddings": 4096}, base_model=None
        )
        config = EvaluateConfig(asking=ChatSettings(max_tokens=MOST), thinking_tokens=tokens)
        shared = _Shared(cast(Server, None))
        [model] = with_settings(
            lambda one: EvaluatedCheckpoint(checkpoint, tests, one, engine=cast(SharedEngine, shared)), config
        )
        with _engine(place, model, says) as server:
            shared.server = server
            name = ModelName.parse(NAME)
            made = answer(name, lambda: model, tests, RunPlace(folder=tmp_path / f"run-{thinks}-{tokens}"), config)
        return make_scorecard(made.run, tests.pairs, made.scores)

    return run


def test_a_model_that_always_thinks_scores_as_its_answers_do_without_the_thinking(
    evaluate: Callable[..., Scorecard], tests: TestSet
) -> None:
    """Also where its thinking is cut at the limit; no word of it is in what is scored."""
    texts = [_answer(place, parsing.canonical(pair.reference)) for place, pair in enumerate(tests.pairs)]
    thinking = [_thought(place) for place in range(PAIRS)]
    plain = evaluate(lambda place: ("", texts[place]), thinks=False)
    free = evaluate(lambda place: (thinking[place] + "\n</think>", "\n\n" + texts[place]))
    short = evaluate(lambda place: (thinking[place] + "\n</think>", "\n\n" + texts[place]), tokens=LIMIT)
    assert "thinking" not in plain.rows[0]
    assert (plain.report.thinking, plain.report.run.config["thinking"]) == (None, False)
    scored = [*metric_names(), "prediction", "reason", "finish_reason", "error"]
    for card in (free, short):
        for row, without in zip(card.rows, plain.rows, strict=True):
            assert row["raw"].strip() == without["raw"]
            assert [str(row[key]).strip() for key in scored] == [str(without[key]).strip() for key in scored]
        assert not [row for row in card.rows if "The user wants" in row["raw"] + row["prediction"] + str(row["reason"])]
        for metric, one in card.report.rows["model"].items():
            assert one == plain.report.rows["model"][metric]
        assert load_report(json.loads(json.dumps(dump_report(card.report)))) == card.report
    assert [row["thinking"] for row in free.rows] == [one.strip() for one in thinking]
    assert {row["thinking_end"] for row in free.rows} == {"closed"}
    facts = short.report.thinking
    assert facts is not None
    cut = [row for row in short.rows if row["thinking_end"] == "limit"]
    assert (facts.answers, facts.limited) == (PAIRS, len(cut))
    assert 0 < len(cut) < PAIRS
    assert {row["thinking_tokens"] for row in cut} == {LIMIT}
    assert facts.mean_tokens == sum(row["thinking_tokens"] for row in short.rows) / PAIRS
    assert all(row["usage"]["completion"] > row["thinking_tokens"] for row in short.rows)
    words = short.report.thinking_words or ""
    assert words.startswith(f"Thinking: default, at most {LIMIT} tokens. 12 answers were thought about")
    assert f"{len(cut)} (" in words
    assert "closed at its limit" in words


def test_a_turn_that_ends_inside_its_thinking_is_counted_and_not_scored(
    evaluate: Callable[..., Scorecard], tests: TestSet
) -> None:
    """Nor is it asked again."""
    texts = [parsing.canonical(pair.reference) for pair in tests.pairs]
    card = evaluate(lambda place: (DECOY + ("<|im_end|>" if place % 5 == 0 else "\n</think>"), texts[place]))
    lost = card.rows[::5]
    assert {(row["raw"], row["prediction"], row["thinking_end"], row["thinking"]) for row in lost} == {
        (None, None, "unclosed", DECOY)
    }
    for metric, one in card.report.rows["model"].items():
        assert (one.value, one.n, one.errors) == (1.0, PAIRS - len(lost), len(lost))
        assert {row[metric] for row in lost} == {None}
    assert card.report.thinking is not None
    assert card.report.thinking.unclosed == len(lost)
    assert "never ended, so that there is no answer" in (card.report.thinking_words or "")


def test_thinking_in_recorded_answers_is_kept_apart_and_changes_no_call(
    replay: Callable[..., Any], test_set: list[TurnPair], tmp_path: Path
) -> None:
    """Whether the text opens it or the prompt did; a text that ends in it is no answer, and what is quoted stays."""
    quoted = 'Say "</think>" to me'

    def said(place: int, text: str) -> str:
        return [
            text,
            f"<think>\nI look for {DECOY}\n</think>\n\n{text}",
            f"I look for it.\n</think>\n\n{text}",
            f"<think>\nI look for {DECOY}",
            f"<think>\nA word.\n</think>\n\n{quoted}",
        ][place % 5]

    replay(said).worked()
    rows = [row for _, row in read_jsonl(tmp_path / "run" / "data" / "test.jsonl")]
    plain, own, prefilled, unfinished, quoting = (rows[kind::5] for kind in range(5))
    for metric in metric_names():
        assert {row[metric] for row in (*plain, *own, *prefilled)} == {1.0}
        assert {row[metric] for row in unfinished} == {None}
    assert {row["thinking"] for row in plain} == {None}
    assert {row["thinking"] for row in own} == {f"I look for {DECOY}"}
    assert {row["thinking"] for row in prefilled} == {"I look for it."}
    assert {row["raw"].strip() for row in quoting} == {quoted}
    assert {(row["raw"], row["error"]) for row in unfinished} == {(None, "the answer ends inside its thinking")}
    report = read_report(tmp_path / "run" / "report.json")
    assert report.thinking is not None
    assert (report.thinking.answers, report.thinking.unclosed) == (4 * len(rows) // 5, len(unfinished))


def test_thinking_that_cannot_be_had_is_refused_before_anything_is_asked(
    terminal: Any, put: Callable[..., str], folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "answers.jsonl").write_text('{"pair_id": "a", "raw": "x"}\n')
    model = put("thinker", {path.name: path for path in folder.iterdir()})
    terminal.evaluate("replay:answers.jsonl", "--thinking", "on").refused("--thinking", "replay:answers.jsonl", "out")
    terminal.evaluate(model, "--thinking", "on", "--thinking", "on").refused("names one twice")
    terminal.evaluate(model, "--thinking", "on", "--thinking", "high").refused(
        "--thinking high", model, "opens a block of thinking whatever it is told", "--thinking on or --thinking auto"
    )
    assert not (tmp_path / "run").exists()
