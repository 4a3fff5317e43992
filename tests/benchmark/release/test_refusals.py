"""What must not be published is refused before anything is changed, every reason in one list."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete

from harness.benchmark.release.checks import Refused
from harness.curation.checks.decontamination import GATE_RECORD
from harness.errors import AccessDenied, DataError, RepoNotFound, UsageError
from harness.evaluation.results import config_name
from harness.hub.client import Hub
from harness.hub.lineage import LINEAGE, Lineage


@pytest.fixture(scope="module")
def benchmark(make_benchmark: Callable[..., Any]) -> Any:
    """One for all these tests: each leaves it as it was."""
    return make_benchmark(("s2", "tft"), ("s2", "direct"))


@pytest.fixture
def refused(benchmark: Any, plan: Callable[..., Any]) -> Callable[..., tuple[str, ...]]:
    """Plan, see that nothing was changed, and return the problems."""

    def problems(**options: Any) -> tuple[str, ...]:
        before = benchmark.everything()
        with pytest.raises(Refused) as raised:
            plan(benchmark, **options)
        assert raised.value.exit_code == 1
        assert benchmark.everything() == before
        assert all(problem in str(raised.value) for problem in raised.value.problems)
        return raised.value.problems

    return problems


@contextmanager
def changed(api: Any, kind: str, repo_id: str, **files: bytes | None) -> Iterator[None]:
    """Change files of a repository (`__` in a name is a dot, None removes one) and bring them back."""
    names = {name.replace("__", "."): body for name, body in files.items()}
    there = set(api.list_repo_files(repo_id, repo_type=kind))
    paths = {name: api.hf_hub_download(repo_id, name, repo_type=kind) for name in names if name in there}
    before = {name: Path(paths[name]).read_bytes() if name in paths else None for name in names}
    for bodies in (names, before):
        operations = [
            CommitOperationDelete(name) if body is None else CommitOperationAdd(name, body)
            for name, body in bodies.items()
        ]
        api.create_commit(repo_id, operations, commit_message="Change", repo_type=kind)
        if bodies is names:
            yield


def test_cells_that_failed_or_were_not_run(benchmark, refused, plan) -> None:
    direct = benchmark.cells[1]
    failed = replace(direct, status="failed", stage="train", problem="no memory is left")
    benchmark.write_record(cells=(benchmark.cells[0], failed))
    try:
        problems = refused(partial=False)
        assert len(problems) == 9
        assert problems[0].startswith("cell s1 tft was not run")
        assert "cell s2 direct failed in the stage train (no memory is left)" in problems[2]
        planned = plan(benchmark)
        assert direct.model not in [place.repo_id for place in planned.places]
        assert any("cell s2 direct failed" in note for note in planned.notes)
    finally:
        benchmark.write_record()


def test_too_many_unscored_pairs(benchmark, refused, plan) -> None:
    tft = benchmark.cells[0]
    benchmark.evaluate(tft.model, tft.artifacts["train"].partition("@")[2], 0.8, unscored=4)
    problems = refused()
    assert any(f"models/{tft.model}: 4 of 30 pairs have no staged_tool_call, more than 10%" in one for one in problems)
    assert plan(benchmark, max_unscored=0.2).changes
    benchmark.evaluate(tft.model, tft.artifacts["train"].partition("@")[2], 0.8)


def test_a_broken_lineage_is_told_once(benchmark, refused, parts) -> None:
    broken = replace(parts, check_chain=lambda hub, artifact: [f"the traces of {benchmark.namespace} are gone"])
    assert refused(using=broken) == (f"lineage: the traces of {benchmark.namespace} are gone",)


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (None, "has no record of the decontamination gate"),
        ({"test_set": None, "test_conversations": 0}, "was made without a test set to keep out"),
        ({"test_set": "me/other@" + "a" * 40}, "which does not hold the conversations of"),
        ({"rejected": "many"}, "has no record of the decontamination gate"),
    ],
)
def test_a_gate_that_did_not_keep_the_test_set_out(benchmark, api, hub, refused, record, problem) -> None:
    repo_id = benchmark.repo("s2-synthetic")
    body = None
    if record is not None:
        body = json.dumps({**json.loads(hub.read_text("dataset", repo_id, GATE_RECORD)), **record}).encode()
    with changed(api, "dataset", repo_id, **{GATE_RECORD.replace(".", "__"): body}):
        assert any(one.startswith(f"datasets/{repo_id} ") and problem in one for one in refused())


def test_data_that_changed_since_the_cells_were_run(benchmark, api, refused, plan) -> None:
    repo_id = benchmark.repo("s2-traces")
    with changed(api, "dataset", repo_id, **{"data/train__jsonl": b'{"id": "other", "messages": []}\n'}):
        (problem,) = refused()
        assert problem.startswith(f"datasets/{repo_id} has changed since the cells were run")
    assert plan(benchmark).changes, "a commit that leads to the same files is no change"
    with changed(api, "dataset", repo_id, README__md=b"---\nlicense: mit\n---\n# By hand\n"):
        assert plan(benchmark).changes, "nor is a card that was written anew"


def test_a_model_that_was_trained_again(benchmark, api, refused) -> None:
    model = benchmark.model("s2", "direct")
    with changed(api, "model", model, model__safetensors=b"other weights"):
        problems = refused()
    assert any(f"the results of models/{model} are of other weights" in one for one in problems)
    assert any(f"models/{model} has changed since the cells were run" in one for one in problems)


def test_a_result_that_is_not_of_the_benchmarks_run(benchmark, refused) -> None:
    tft, direct = benchmark.cells
    benchmark.write_record(
        cells=(replace(tft, result="0" * 12), direct), test_set=f"{benchmark.test_set.artifact.repo_id}@{'b' * 40}"
    )
    try:
        problems = refused()
    finally:
        benchmark.write_record()
    assert any(f"models/{tft.model} was evaluated again since the benchmark ran" in one for one in problems)
    assert sum("the benchmark's test set is" in one for one in problems) == 2


def test_a_result_on_a_part_of_the_test_set_or_none(benchmark, api, hub, refused) -> None:
    tft, direct = (f"reports/{cell.model.replace('/', '--')}" for cell in benchmark.cells)
    results = benchmark.repo("results")
    report = json.loads(hub.read_text("dataset", results, f"{tft}.json"))
    report["run"]["config"]["pairs"] = 5
    files = {f"{tft}__json": json.dumps(report).encode(), f"{direct}__json": None}
    with changed(api, "dataset", results, **files):
        problems = refused()
    assert any("was asked only 5 of 30 pairs" in one for one in problems)
    assert any(f"models/{benchmark.cells[1].model} has no report in the results" in one for one in problems)


def test_a_result_whose_lineage_is_damaged_is_one_reason_among_the_others(benchmark, api, refused) -> None:
    results, (tft, direct) = benchmark.repo("results"), (cell.model for cell in benchmark.cells)
    files = {f"lineage/{config_name(tft)}__json": b"{", f"reports/{config_name(direct)}__json": None}
    with changed(api, "dataset", results, **files):
        problems = refused()
    damaged = f"lineage/{config_name(tft)}.json cannot be read"
    assert any(f"models/{tft}: dataset {results}@" in one and damaged in one for one in problems)
    assert any(f"models/{direct} has no report in the results" in one for one in problems)


def test_a_name_that_is_taken_by_something_else_is_never_written_to(benchmark, api, refused, release) -> None:
    space, filtered, namespace = benchmark.repo("leaderboard"), benchmark.repo("s2-filtered"), benchmark.namespace
    api.create_repo(space, repo_type="space", space_sdk="static", private=True)
    api.upload_file(path_or_fileobj=b"mine", path_in_repo="index.html", repo_id=space, repo_type="space")
    collection = api.create_collection("TFT benchmark", namespace=namespace, description="What I like")
    poems, file = Lineage(stage="poems", version=1, config={}, inputs=()), LINEAGE.replace(".", "__")
    try:
        with changed(api, "dataset", filtered, **{file: b'{"stage": "poems"}'}):
            assert any(f"datasets/{filtered} is taken by something else" in one for one in refused())
        with changed(api, "dataset", filtered, **{file: json.dumps(poems.dump()).encode()}):
            problems = refused()
        assert any(f"spaces/{space} is taken by something else (it has no lineage.json" in one for one in problems)
        assert any(f"datasets/{filtered} is taken by something else (its lineage.json says" in one for one in problems)
        assert any(f"the collection 'TFT benchmark' of {namespace} is taken" in one for one in problems)
        assert len(problems) == 3, "all are told at once"
        assert len(refused(title="Ours")) == 1
    finally:
        api.delete_repo(space, repo_type="space")
        api.delete_collection(collection.slug)


def test_a_repository_that_is_missing_or_elsewhere(benchmark, refused) -> None:
    tft, direct = benchmark.cells
    gone = f"{benchmark.repo('s7-filtered')}@{'a' * 40}"
    elsewhere = f"bob/tft-benchmark-s2-traces@{'a' * 40}"
    artifacts = {**tft.artifacts, "filter": gone, "corrupt": elsewhere}
    benchmark.write_record(cells=(replace(tft, artifacts=artifacts), direct))
    try:
        problems = refused()
    finally:
        benchmark.write_record()
    assert any("s7-filtered is missing; run `tft benchmark` again" in one for one in problems)
    assert any(f"s2-traces is not in {benchmark.namespace}" in one for one in problems)


def test_a_namespace_that_one_may_not_write_to(benchmark, server, plan, parts) -> None:
    from harness.benchmark.release.plan import ReleaseOptions, plan_release

    before = benchmark.everything()
    for token, said in (("hf_bob", f"bob may not write below {benchmark.namespace}"), ("hf_ada_reads", "only read")):
        stranger = Hub(server.url, token)
        with pytest.raises(AccessDenied, match=said):
            plan_release(stranger, ReleaseOptions(namespace=benchmark.namespace), parts)
    assert benchmark.everything() == before


def test_a_plan_that_is_only_shown_needs_a_token_that_reads(benchmark, server, parts) -> None:
    from harness.benchmark.release.plan import ReleaseOptions, plan_release

    options = ReleaseOptions(namespace=benchmark.namespace, only_shown=True, partial=True)
    shown = plan_release(Hub(server.url, "hf_ada_reads"), options, parts)
    assert any("only reads" in note for note in shown.notes)
    with pytest.raises(AccessDenied, match="bob may not write below"):
        plan_release(Hub(server.url, "hf_bob"), options, parts)


def test_nothing_to_publish(benchmark, api, hub, plan, parts) -> None:
    from harness.benchmark.release.plan import ReleaseOptions, plan_release

    with pytest.raises(RepoNotFound, match="run `tft benchmark` first"):
        plan_release(hub, ReleaseOptions(namespace="ada"), parts)
    without = changed(api, "dataset", benchmark.repo("results"), benchmark__json=None)
    with without, pytest.raises(DataError, match=r"has no benchmark\.json"):
        plan(benchmark)
    benchmark.write_record(cells=())
    with pytest.raises(Refused, match="no cell of the benchmark is done"):
        plan(benchmark)
    benchmark.write_record()


@pytest.mark.parametrize("wish", [{"version": "v 1"}, {"version": "fp-1"}, {"version": "a..b"}, {"version": ""},
                                  {"version": "main"}, {"title": " "}, {"title": "x" * 61}])  # fmt: skip
def test_a_version_or_a_title_that_cannot_be_one(benchmark, plan, wish) -> None:
    with pytest.raises(UsageError, match=r"--version|--title"):
        plan(benchmark, **wish)
