"""What `tests/benchmarks/roles_model.py` says of a model in the roles: counted from rows, and all of it on the page."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import roles_model_figures as figures
from benchmarks.roles_model_page import page
from harness.data.formats.jsonl import write_jsonl

CUT = "cut off at the limit of tokens"


def test_reasons_of_one_kind_are_counted_together() -> None:
    said = (
        "relevance 2: message 1 asks for a hotel",
        "relevance 1: it is about a film",
        "not rated: no usable answer after 2 tries: cut off",
        "no usable answer after 2 tries: message 1 is of the kind result",
        "no usable answer: status 400",
        "",
    )
    counted = {"relevance too low": 2, "no usable answer": 2, "not rated": 1}
    assert figures.reasons({"reason": text} for text in said) == counted


def test_drafts_are_those_that_pass_the_gates_and_those_that_do_not(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "rules" / "data" / "train.jsonl", [{"reason": ""}, {"reason": ""}])
    write_jsonl(tmp_path / "model" / "data" / "rejected.jsonl", [{"reason": "no usable answer: it is empty"}])
    assert figures.synthesis(tmp_path / "model", tmp_path / "rules") == {
        "model": {"drafts": 1, "accepted": figures.share(0, 1), "refused": {"no usable answer": 1}},
        "rules": {"drafts": 2, "accepted": figures.share(2, 2), "refused": {}},
    }


def test_every_count_is_on_the_page() -> None:
    both = {"model": 11, "rules": 12}
    share, refused = {"share": 0.5, "of": 26, "count": 13}, {"model": {"not rated": 14}, "rules": {}}
    clean = dict.fromkeys(("tool", "all", "damaged", "intact", "service calls", "as the trace had it"), share)
    found = {
        "model": "tiny",
        "date": "2026-01-31",
        "settings": {"traces": 20, "among": None, "drafts": 15, "max_tokens": 16},
        "answers": [
            {
                **{"role": "filter", "questions": 21, "usable": 17, "asked_again": 18, "unusable": {CUT: 4}},
                **{"prompt_tokens": 1900, "answer_tokens": 2000, "seconds": 23.5},
            }
        ],
        "filter": {
            **{"traces": 20, "damaged": 24, "kept": both, "refused": refused, "same verdict": share, "kappa": None},
            "ratings of the model": {"relevance": {"5": 25}, "coherence": {"1": 27}},
            "rejections of damaged traces": {key: {"precision": share, "recall": share} for key in both},
        },
        "relabel": {
            **{"conversations": 20, "kept": both, "refused": refused, "turns": 28, "labelled by the model": 29},
            **{"same tool as the rules": share, "same call as the rules": share},
            "equal to the clean label": dict.fromkeys(both, clean),
        },
        "synthesize": {key: {"accepted": share, "refused": {"near duplicate of a seed": 30}} for key in both},
        "seconds until the engine was ready": 31,
        "seconds of the stages, side by side": 32,
        "cores": 2,
        "load average of the last 15 minutes": 33.5,
    }
    written = page(json.loads(json.dumps(found)))
    for count in (*range(11, 19), 20, 21, *range(23, 34), 1900, 2000, "33.5", CUT):
        assert str(count) in written, count
