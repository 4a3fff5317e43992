"""Several samples of each pair: drawn apart, logged apart, and put together as the mean and pass rates."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.jsonl import read_jsonl
from harness.data.records import TurnPair
from harness.evaluation.report_json import read_report
from harness.models import parsing
from harness.models.backends._base import EvaluateConfig, Sampling

ASK = ("openai:counting-model", "--max-tokens", "64", "--samples", "3", "--temperature", "0.7")
JUDGE = "llm-as-a-judge"


def rows_of(run: Path) -> list[dict[str, Any]]:
    return [row for _, row in read_jsonl(run / "data" / "test.jsonl")]


def mean(values: list[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return sum(known) / len(known) if known else None


@pytest.fixture
def record(terminal: Any, test_set: list[TurnPair]) -> Callable[..., None]:
    """Write a file of recorded samples: `right(place, sample)` says whether one is the reference, None: no answer."""

    def write(name: str, samples: int, right: Callable[[int, int], bool | None]) -> None:
        with (terminal.folder / name).open("w") as file:
            for place, pair in enumerate(test_set):
                for sample in range(samples):
                    texts = {True: parsing.canonical(pair.reference), False: "Good evening!", None: None}
                    row = {"pair_id": pair.id, "sample": sample, "raw": texts[right(place, sample)]}
                    file.write(json.dumps(row) + "\n")

    return write


def test_recorded_samples_are_scored_judged_and_compared_by_the_means_of_pairs(
    terminal: Any, record: Callable[..., None], test_set: list[TurnPair], tmp_path: Path
) -> None:
    """Of 4 samples of a pair, 0 to 4 are right in turn, and one pair has a sample without an answer."""
    record("drawn.jsonl", 4, lambda place, sample: None if (place, sample) == (1, 3) else sample < place % 5)
    record("right.jsonl", 4, lambda place, sample: True)
    again = ["evaluate", "--dataset", "ada/sample", "--no-push", "--judge", "rules:judge", "--samples", "4"]
    done, other = terminal.run_all(
        ([*again, "replay:drawn.jsonl", "--out", "run", "--inspect", "logs", "--markdown", "c.md"],
         [*again, "replay:right.jsonl", "--out", "right"]),
    )  # fmt: skip
    done.worked()
    other.worked()
    report, rows = read_report(tmp_path / "run" / "report.json"), rows_of(tmp_path / "run")
    assert [(row["pair_id"], row["sample"]) for row in rows] == [(pair.id, k) for pair in test_set for k in range(4)]
    found = report.samples
    assert found is not None
    assert (found.samples, found.errors, found.alike) == (4, 1, sum(place % 5 in (0, 4) for place in range(30)))
    for metric in ("binary_tool_call", JUDGE):
        means = [mean([row[metric] for row in rows[start : start + 4]]) for start in range(0, len(rows), 4)]
        assert report.rows["model"][metric].value == pytest.approx(mean(means))
        assert report.rows["model"][metric].n == len(test_set)
        last = found.passing[metric][-1]
        assert (last.k, last.any.n) == (4, len(test_set) - 1)
        whole = [place % 5 for place in range(len(test_set)) if place != 1]
        assert last.any.value == pytest.approx(mean([float(right > 0) for right in whole]))
        assert last.all.value == pytest.approx(mean([float(right == 4) for right in whole]))
        parts = found.error_parts[metric]
        assert parts.samples
        assert report.rows["gold"][metric].value == 1.0
    assert "1 samples have no answer" in done.out
    assert "pass^k" in done.out
    assert "| 4 |" in (tmp_path / "c.md").read_text()

    compared = terminal("compare", "run", "right", "--metric", "binary_tool_call", "--json").worked()
    document = json.loads(compared.out)
    assert document["pairs"]["common"] == len(test_set)
    difference = document["metrics"]["binary_tool_call"]["difference"]["value"]
    assert difference == pytest.approx(1 - (report.rows["model"]["binary_tool_call"].value or 0))
    assert sum("mean of 4 samples" in warning for warning in document["warnings"]) == 2
    judged = terminal("judge", "run/data/test.jsonl", "--dataset", "ada/sample", "--judge", "rules:judge", "--out", "j")
    judged.worked()
    assert [row[JUDGE] for _, row in read_jsonl(tmp_path / "j")] == [row[JUDGE] for row in rows]
    for words in (
        ["export", "run", "--format", "eee", "--out", "r.json"],
        ["card", "ada/m", "--report", "run/report.json"],
    ):
        terminal(*words).refused("several samples", "--samples")


def test_every_sample_of_an_endpoint_has_a_seed_of_its_own_and_a_kill_loses_none(
    terminal: Any, endpoint: Any, test_set: list[TurnPair], tmp_path: Path
) -> None:
    endpoint.heeds_seeds = True
    address = ["--dataset", "ada/sample", "--no-push", "--base-url", endpoint.url]
    done = terminal("evaluate", *ASK, *address, "--out", "run").worked()
    seeds = [request["seed"] for request in endpoint.requests]
    assert len(set(seeds)) == len(seeds) == 3 * len(test_set)
    assert {request["temperature"] for request in endpoint.requests} == {0.7}
    rows = (tmp_path / "run" / "data" / "test.jsonl").read_bytes()
    report = read_report(tmp_path / "run" / "report.json")
    config = report.run.config
    assert (config["samples"], config["temperature"], config["sampling_seed"]) == (3, 0.7, 0)
    assert "a seed of its own" in done.out

    log = tmp_path / "killed" / "answers.jsonl"
    log.parent.mkdir()
    whole = (tmp_path / "run" / "answers.jsonl").read_bytes()
    log.write_bytes(whole[: len(whole) // 2])
    (log.parent / "lineage.json").write_bytes((tmp_path / "run" / "lineage.json").read_bytes())
    kept, before = whole[: len(whole) // 2].count(b"\n"), len(endpoint.requests)
    terminal("evaluate", *ASK, *address, "--cache", "none", "--out", "killed", "--resume").worked()
    assert (tmp_path / "killed" / "data" / "test.jsonl").read_bytes() == rows
    assert len(endpoint.requests) - before == 3 * len(test_set) - kept

    before = len(endpoint.requests)
    terminal("evaluate", *ASK, *address, "--out", "cached").worked()
    assert len(endpoint.requests) == before
    terminal("evaluate", *ASK, *address, "--out", "other", "--seed", "1", "--limit", "2").worked()
    assert not {request["seed"] for request in endpoint.requests[before:]} & set(seeds)
    terminal("evaluate", "openai:counting-model", *address, "--out", "greedy", "--max-tokens", "64").worked()
    assert (endpoint.requests[-1]["temperature"], "seed" in endpoint.requests[-1]) == (0, False)
    terminal("compare", "run", "greedy", "--json").worked()  # one model, two ways of decoding


def test_an_endpoint_that_refuses_seeds_is_asked_without_and_that_is_said(
    terminal: Any, endpoint: Any, tmp_path: Path
) -> None:
    endpoint.refuses = lambda request: "Unrecognized request argument supplied: seed" if "seed" in request else None
    done = terminal.evaluate(*ASK, "--base-url", endpoint.url, "--limit", "4", "--concurrency", "1").worked()
    assert "without a seed" in done.out
    assert len(endpoint.requests) == 1 + 3 * 4
    assert read_report(tmp_path / "run" / "report.json").run.config["sent_otherwise"] == ["without a seed"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["openai:m", "--samples", "4"], "--samples 4 at temperature 0 would be one answer 4 times"),
        (["openai:m", "--samples", "4", "--temperature", "0"], "would be one answer 4 times"),
        (["openai:m", "--temperature", "0.7"], "a single draw"),
        (["openai:m", "--seed", "7"], "needs no --seed"),
        (["replay:a", "--samples", "2", "--temperature", "1"], "drawn already"),
        (["logged:m", "--samples", "2", "--temperature", "1"], "one answer of logged:m"),
        (["openai:m", "--samples", "2", "--temperature", "1", "--labels", "rows"], "--labels correct the score of one"),
        (["openai:m", "--samples", "2", "--temperature", "1", "--endpoints", "hot"], "at temperature 0.2"),
        (["openai:m", "--samples", "2", "--temperature", "0.2", "--endpoints", "hot"], "with one seed for all"),
        (["replay:two"], "holds 2 answers to a pair; evaluate it with --samples 2"),
        (["replay:two", "--samples", "3"], "evaluate it with --samples 2"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(words: list[str], said: str, terminal: Any, record: Any) -> None:
    record("two", 2, lambda place, sample: True)
    (terminal.folder / "rows").write_text("{}\n")
    (terminal.folder / "hot").write_text(
        "m: {base_url: 'http://127.0.0.1:9/v1', parameters: {temperature: 0.2, seed: 3}}\n"
    )
    terminal.evaluate(*words).refused(said)


def test_results_of_several_samples_are_not_published(terminal: Any) -> None:
    words = ("evaluate", "openai:m", "--dataset", "ada/sample", "--samples", "2", "--temperature", "1")
    terminal(*words, "--base-url", "http://127.0.0.1:9/v1").refused("not published", "--no-push")


def test_one_greedy_answer_is_recorded_as_ever(undisturbed: Any) -> None:
    """Without samples nothing in fingerprint, log or rows says a word of them."""
    lineage = json.loads((undisturbed.run / "lineage.json").read_text())
    assert lineage["config"]["temperature"] == 0
    assert not {"samples", "sampling_seed"} & lineage["config"].keys()
    assert EvaluateConfig().decoding == {"temperature": 0}
    assert all("sample" not in row for row in rows_of(undisturbed.run))
    assert all("sample" not in row for _, row in read_jsonl(undisturbed.run / "answers.jsonl"))
    assert read_report(undisturbed.run / "report.json").samples is None
    assert not any("seed" in request for request in undisturbed.endpoint.requests)


def test_no_two_samples_of_a_pair_have_one_seed() -> None:
    sampling = Sampling(samples=100, temperature=1.0, seed=3)
    seeds = [sampling.seed_of((pair, sample)) for pair in ("a:0", "a:1", "b:0") for sample in range(100)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert seeds[0] != Sampling(samples=100, temperature=1.0, seed=4).seed_of(("a:0", 0))
