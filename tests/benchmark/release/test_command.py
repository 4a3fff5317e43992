"""`tft publish` as it is called, with the real report and the real check of lineage."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.cli.__main__ import tft
from harness.hub.client import Hub

pytest.importorskip("harness.benchmark.report.build")
pytest.importorskip("harness.reports.lineage.check")


@pytest.fixture
def benchmark(make_benchmark: Callable[..., Any]) -> Any:
    return make_benchmark(("s2", "tft"), ("s2", "direct"))


@pytest.fixture
def publish(benchmark: Any, hub: Hub) -> Callable[..., Result]:
    variables = {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": "hf_ada"}

    def run(*words: str) -> Result:
        return CliRunner(env=variables).invoke(tft, ["publish", "--namespace", benchmark.namespace, *words])

    return run


def test_from_a_dry_run_to_a_release_that_anybody_can_read(benchmark, publish, hub, stranger) -> None:
    before = benchmark.everything()
    shown = publish("--partial", "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert benchmark.everything() == before
    lines = [line for line in shown.stdout.splitlines() if line[:8].strip() in ("create", "commit", "add", "tag")]
    assert len(lines) > 20
    done = publish("--partial")
    assert done.exit_code == 0, done.output
    assert all(line in done.stderr for line in lines), "what was shown is what was done"
    assert "tft hub promote datasets/" in done.stderr
    assert "published, with" in done.stdout
    page = stranger.hf_hub_download(benchmark.repo("leaderboard"), "index.html", repo_type="space", revision="v1")
    with open(page, encoding="utf-8") as file:
        assert "TFT" in file.read()
    results = hub.read_text("dataset", benchmark.repo("results"), "RESULTS.md")
    for cell in ("S1", "S3", "S4", "S5"):
        assert f"{cell}: TFT not run, Direct not run" in results, "what is missing is named"
    assert "[RESULTS.md](RESULTS.md)" in hub.read_text("dataset", benchmark.repo("results"), "README.md")
    again = publish("--partial", "--json")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["changes"] == []
    assert "nothing to change: v1" in publish("--partial").stdout


def test_a_refusal_lists_its_reasons_and_ends_with_1(benchmark, publish) -> None:
    refused = publish("--json")
    found = json.loads(refused.stdout)
    assert found["done"] is False
    assert len(found["problems"]) == 8
    assert refused.exception is not None
    assert refused.exception.exit_code == 1


def test_a_lineage_that_ends_nowhere_is_refused(benchmark, hub, publish) -> None:
    """The tag that marks the filtered traces as complete is taken away."""
    repo_id = benchmark.repo("s2-filtered")
    lineage = json.loads(hub.read_text("dataset", repo_id, "lineage.json"))
    hub.api.delete_tag(repo_id, tag=f"fp-{lineage['fingerprint']}", repo_type="dataset")
    problems = json.loads(publish("--partial", "--json").stdout)["problems"]
    assert problems
    assert all(problem.startswith("lineage: ") and "s2-filtered" in problem for problem in problems)
