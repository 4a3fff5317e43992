"""What a lineage says in words: models with their commits and prompts, then the settings."""

from __future__ import annotations

import json

from harness.hub.lineage import Lineage, LineageRecord, parse_record
from harness.reports.lineage.chain_view import models, settings, short

PROMPT, COMMIT = "c" * 64, "a" * 40


def _record(config: dict[str, object], **extra: object) -> LineageRecord:
    lineage = Lineage(stage="s", version=1, config=config, inputs=(), seed=3, extra=extra)
    return parse_record(json.dumps(lineage.dump()))


def test_each_model_is_named_with_its_commit_and_prompt() -> None:
    asked = {"model": "me/large", "revision": COMMIT, "prompt_sha256": PROMPT, "engine_args": []}
    record = _record(
        {
            "committee": [{"name": "vllm:me/large", **asked}, {"name": "rules:labeler-state"}],
            "arbiter": None,
            "seeds": 5,
        }
    )
    found = list(models(record))
    assert found == [
        ("member 1", f"vllm:me/large (model me/large, revision {COMMIT[:12]}, prompt {PROMPT[:12]})"),
        ("member 2", "rules:labeler-state"),
    ]
    assert settings(record) == ["seeds 5", "seed 3"]


def test_judges_are_found_where_evaluations_record_them() -> None:
    record = _record({"reading": "lenient"}, judge=["rules:judge"], judges={"rules:judge": {"version": 101}})
    assert list(models(record)) == [("judge", "rules:judge (version 101)")]


def test_hashes_are_cut_and_long_values_too() -> None:
    record = _record({"file_sha256": PROMPT, "topics": [{"text": "a"}] * 4, "form": {"tools": True}, "note": "x" * 500})
    assert settings(record)[:3] == [f"file_sha256 {PROMPT[:12]}", "topics (4 entries)", "form (tools true)"]
    assert len(settings(record)[3]) < 100
    assert short(f"a/b@{COMMIT}") == f"a/b@{COMMIT[:12]}"
    assert short(f"dir/a.jsonl@sha256:{PROMPT}") == f"dir/a.jsonl@{PROMPT[:12]}"
    assert short("replay:answers.jsonl") == "replay:answers.jsonl"
