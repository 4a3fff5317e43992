"""`--fast`: for our own engine alone, gone on with as it began, and never in place of a result in the default."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.evaluation.run_folder import is_fast, open_run
from harness.hub.client import Hub
from harness.hub.lineage import LINEAGE, Lineage
from harness.models.engine.arithmetic import ARITHMETIC, Arithmetic
from harness.models.engine.build import unusual_arithmetic
from harness.reports.publish import Destination
from harness.stages._evaluation_results import check_arithmetic

FAST = "float32, compiled, attention split"
DEFAULT_RUN = Lineage(stage="evaluate", version=4, config={"max_tokens": 8, "backend": "vllm"}, inputs=(), seed=0)
FAST_RUN = dataclasses.replace(DEFAULT_RUN, config={**DEFAULT_RUN.config, ARITHMETIC: FAST})


def test_it_is_about_no_other_engine_than_our_own(replay: Callable[..., Any], terminal: Any) -> None:
    words = ("--dataset", "ada/sample", "--no-push", "--out", "run", "--fast")
    terminal("evaluate", "openai:a-model", "--base-url", "http://127.0.0.1:9/v1", *words).refused(
        "--fast", "openai:a-model", "leave it out"
    )
    terminal("evaluate", "logged:ada/agent", *words).refused("--fast", "logged:ada/agent", "leave it out")
    terminal("evaluate", "ada/never-asked", *words, "--engine-arg", "dtype=float16").refused(
        "--fast", "--engine-arg dtype", "leave one of them out"
    )


@pytest.mark.parametrize(("begun", "now"), [(DEFAULT_RUN, FAST_RUN), (FAST_RUN, DEFAULT_RUN)])
def test_answers_of_one_arithmetic_are_not_gone_on_with_in_another(
    begun: Lineage, now: Lineage, tmp_path: Path
) -> None:
    run = open_run(tmp_path / "run", begun, resume=False)
    run.log.close()
    (tmp_path / "run" / "answers.jsonl").write_text(json.dumps({"pair_id": "a:0", "raw": "x"}) + "\n")
    with pytest.raises(UsageError, match=rf"arithmetic was .*{FAST}.*give another --out|arithmetic was 'None', now"):
        open_run(tmp_path / "run", now, resume=True)
    assert begun.fingerprint() != now.fingerprint()


def test_the_folder_says_how_its_run_began(tmp_path: Path) -> None:
    assert not is_fast(tmp_path)
    for lineage in (DEFAULT_RUN, FAST_RUN):
        (tmp_path / LINEAGE).write_text(json.dumps(lineage.dump()))
        assert is_fast(tmp_path) == (lineage is FAST_RUN)


def test_a_result_in_the_default_arithmetic_is_not_replaced(
    hub: Any, put: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def report(**config: Any) -> str:
        run = {
            "model": "vllm:ada/kept",
            "model_revision": "a" * 40,
            "dataset": "ada/sample",
            "dataset_revision": "b" * 40,
            "config": config,
            "prompt_sha256": "",
            "versions": {},
            "date": "",
            "timings": {},
        }
        parts = ("rows", "by_tool", "macro", "readings", "tokens")
        return json.dumps({"run": run, **{part: {} for part in parts}})

    def check(arithmetic: Arithmetic | None, *engine_args: str) -> None:
        unusual = unusual_arithmetic(arithmetic, engine_args)
        check_arithmetic(client, [place, None], unusual)

    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", "hf_ada_write")
    client = Hub.connect()
    results = put("fast-results", {"reports/ada--kept.json": report()}, kind="dataset")
    place = Destination(results=results, config="ada--kept", model="ada/kept", create_pr=False)
    check(None)
    with pytest.raises(UsageError, match=r"in the default arithmetic, which one in .* would replace; leave out --fast"):
        check(Arithmetic(compiled=True))
    with pytest.raises(UsageError, match="in the default arithmetic, which one in quantization fp8 would replace"):
        check(None, "--quantization", "fp8")
    put("fast-results", {"reports/ada--kept.json": report(**{ARITHMETIC: FAST})}, kind="dataset")
    check(Arithmetic(compiled=True))
    check(None)
