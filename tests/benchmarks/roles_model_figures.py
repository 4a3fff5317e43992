"""Figures of `roles_model.py`: what a model in the pipeline's roles is worth, from the files that the stages wrote."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.curation.llm_roles.answer_counts import ANSWERS
from harness.curation.repair.ground_truth import Truth, Truths
from harness.data.canonical import canonical_call
from harness.data.formats.jsonl import read_jsonl
from harness.data.formats.stage_rows import parse_decisions
from harness.data.pipeline_records import TurnDecision
from harness.data.records import ToolCall
from harness.data.tools import Toolbox
from harness.data.traces.trace_input import TRAIN
from harness.statistics.agreement import kappa
from harness.statistics.formatting import most_common_first

Row = dict[str, Any]
REJECTED = "data/rejected.jsonl"
_TRIES = re.compile(r" after \d+ tries$")


def rows(folder: Path, name: str = TRAIN) -> list[Row]:
    """Return the rows of a stage's result; none where it has no such file."""
    path = folder / name
    return [row for _, row in read_jsonl(path)] if path.is_file() and path.stat().st_size else []


def answers(folder: Path) -> list[Row]:
    """Return what became of the questions to models, by role."""
    path = folder / ANSWERS
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else []


def reasons(found: Iterable[Row]) -> dict[str, int]:
    """Return why rows are not kept, in the stages' own words up to the colon, most frequent first."""
    kinds = (_TRIES.sub("", row["reason"].partition(":")[0]) for row in found if row["reason"])
    return most_common_first(Counter(re.sub(r"^(relevance|coherence) \d$", r"\1 too low", kind) for kind in kinds))


def paired(model: Path, rules: Path) -> list[tuple[Row, Row]]:
    """Return the rows of two results of the same traces; ValueError where they are not the same."""
    pairs = list(zip(rows(model), rows(rules), strict=True))
    if apart := [(a["id"], b["id"]) for a, b in pairs if a["id"] != b["id"]]:
        raise ValueError(f"{model} and {rules} hold other conversations: {len(apart)} ids differ, first {apart[0]}")
    return pairs


def share(part: int, whole: int) -> dict[str, Any]:
    """Return a share with its counts; null where there is nothing to be counted."""
    return {"share": round(part / whole, 3) if whole else None, "of": whole, "count": part}


def filtering(model: Path, rules: Path, truths: Truths, originals: Callable[[str], Any]) -> Row:
    """Return the figures of the filter: verdicts of both, and the model's against what is known to be damaged."""
    pairs = paired(model, rules)
    rated = [(a, b) for a, b in pairs if a["relevance"] is not None]
    ours, theirs = [float(a["kept"]) for a, _ in rated], [float(b["kept"]) for _, b in rated]
    estimate = kappa(ours, theirs, [a["id"] for a, _ in rated])
    damaged = {a["id"]: bool(_truth(truths, originals(a["id"])).kinds) for a, _ in pairs}

    def against_truth(which: int) -> Row:
        out = [pair[which]["id"] for pair in pairs if not pair[which]["kept"]]
        hits = sum(damaged[id] for id in out)
        return {"precision": share(hits, len(out)), "recall": share(hits, sum(damaged.values()))}

    return {
        "traces": len(pairs),
        "damaged": sum(damaged.values()),
        "kept": {"model": sum(a["kept"] for a, _ in pairs), "rules": sum(b["kept"] for _, b in pairs)},
        "refused": {"model": reasons(a for a, _ in pairs), "rules": reasons(b for _, b in pairs)},
        "same verdict": share(sum(a == b for a, b in zip(ours, theirs, strict=True)), len(rated)),
        "kappa": None if estimate.value is None else round(estimate.value, 3),
        "ratings of the model": {
            quality: {str(value): count for value, count in sorted(Counter(a[quality] for a, _ in rated).items())}
            for quality in ("relevance", "coherence")
        },
        "rejections of damaged traces": {"model": against_truth(0), "rules": against_truth(1)},
    }


def _truth(truths: Truths, conversation: Any) -> Truth:
    found: Truth | None = truths.of(conversation)
    assert found is not None, f"{conversation.id} has no clean conversation"
    return found


def relabelling(model: Path, rules: Path, truths: Truths, originals: Callable[[str], Any], toolbox: Toolbox) -> Row:
    """Return the figures of the relabelling: turns of the model's committee against the rules' and the clean labels."""
    pairs = paired(model, rules)
    both = [
        (ours, theirs, _label(_truth(truths, originals(a["id"])), ours, toolbox))
        for a, b in pairs
        for ours, theirs in zip(parse_decisions(a), parse_decisions(b), strict=True)
    ]

    def same(one: ToolCall | None, other: ToolCall | None) -> bool:
        return one is not None and other is not None and _canonical(one, toolbox) == _canonical(other, toolbox)

    decided = [turn for turn in both if turn[0].call is not None]
    return {
        "conversations": len(pairs),
        "kept": {"model": sum(a["kept"] for a, _ in pairs), "rules": sum(b["kept"] for _, b in pairs)},
        "refused": {"model": reasons(a for a, _ in pairs), "rules": reasons(b for _, b in pairs)},
        "turns": len(both),
        "labelled by the model": len(decided),
        "same tool as the rules": share(
            sum(a.call.name == b.call.name for a, b, _ in decided if a.call and b.call), len(decided)
        ),
        "same call as the rules": share(sum(same(a.call, b.call) for a, b, _ in decided), len(decided)),
        "equal to the clean label": {
            who: _against_clean([(turn[which], turn[2]) for turn in both], same, toolbox)
            for which, who in enumerate(("model", "rules"))
        },
    }


def _against_clean(turns: Sequence[tuple[TurnDecision, ToolCall]], same: Callable[..., bool], toolbox: Toolbox) -> Row:
    """Return how many turns have the clean label, of all, of the damaged and of the others."""

    def right(chosen: Iterable[tuple[TurnDecision, ToolCall]]) -> Row:
        listed = list(chosen)
        return share(sum(same(turn.call, clean) for turn, clean in listed), len(listed))

    return {
        "all": right(turns),
        "tool": share(sum(turn.call is not None and turn.call.name == clean.name for turn, clean in turns), len(turns)),
        "damaged": right(one for one in turns if not same(one[0].raw, one[1])),
        "intact": right(one for one in turns if same(one[0].raw, one[1])),
        "service calls": right(one for one in turns if one[1].name != toolbox.reply.tool),
        "as the trace had it": share(sum(same(turn.raw, clean) for turn, clean in turns), len(turns)),
    }


def _label(truth: Truth, decision: TurnDecision, toolbox: Toolbox) -> ToolCall:
    call = toolbox.call_of(truth.conversation.messages[decision.position])
    assert call is not None
    return call


def _canonical(call: ToolCall, toolbox: Toolbox) -> tuple[str, str]:
    found = canonical_call(call, toolbox)
    return found.name, json.dumps(found.arguments, sort_keys=True)


def synthesis(model: Path, rules: Path) -> Row:
    """Return the figures of the synthesis: drafts, and which gate rejects how many."""
    found: Row = {}
    for who, folder in (("model", model), ("rules", rules)):
        accepted, rejected = rows(folder), rows(folder, REJECTED)
        drafts = len(accepted) + len(rejected)
        found[who] = {"drafts": drafts, "accepted": share(len(accepted), drafts), "refused": reasons(rejected)}
    return found


def settling(folder: Path, truths: Truths, originals: Callable[[str], Any], toolbox: Toolbox) -> Row:
    """Return the figures of the arbiter: what became of disputes between the model and the rules (second member)."""
    found: Counter[str] = Counter()
    for row in rows(folder):
        truth = _truth(truths, originals(row["id"]))
        for turn in parse_decisions(row):
            if turn.level is None:
                continue
            clean = _canonical(_label(truth, turn, toolbox), toolbox)
            found["disputes"] += 1
            found["undecided"] += turn.call is None
            found["clean label"] += turn.call is not None and _canonical(turn.call, toolbox) == clean
            found["clean label among the proposals"] += any(
                call is not None and _canonical(call, toolbox) == clean for call in turn.candidates
            )
    return dict(found)
