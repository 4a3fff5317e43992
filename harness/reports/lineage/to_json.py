"""A chain and the history of a row as plain JSON values, every hash whole. No effects."""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.data.formats.messages import dump_conversation
from harness.reports.lineage.chain import Node
from harness.reports.lineage.check import Checked
from harness.reports.lineage.row_history import RowHistory
from harness.reports.lineage.rows import StoredRow
from harness.reports.lineage.score_history import ScoreHistory
from harness.reports.lineage.source_dialogue import SourceDialogue
from harness.reports.lineage.turn_history import member_names


def as_document(found: Checked, row: RowHistory | ScoreHistory | None = None) -> dict[str, Any]:
    """Return the chain, its problems (those of the row with them), and the row's history where there is one."""
    history = None if row is None else _score(row) if isinstance(row, ScoreHistory) else _row(row)
    of_row = [] if row is None else row_problems(row)
    return {
        "root": found.root.name,
        "whole": not found.problems and not of_row,
        "problems": [*found.sentences(), *of_row],
        "nodes": [_node(node, found) for node in found.root.walk()],
        "row": history,
    }


def row_problems(row: RowHistory | ScoreHistory) -> list[str]:
    """Return what is wrong with the history of a row, each sentence once."""
    every = row.problems if isinstance(row, ScoreHistory) else [p for one in row.walk() for p in one.problems]
    return list(dict.fromkeys(every))


def _node(node: Node, found: Checked) -> dict[str, Any]:
    record = node.record
    return {
        "name": node.name,
        "kind": node.kind,
        "repo": node.artifact.repo_id if node.artifact else None,
        "revision": node.artifact.revision if node.artifact else None,
        "config_name": node.config,
        "tags": list(node.tags),
        "inputs": [one.name for one in node.inputs],
        "lineage": record.lineage.dump() | {"harness": record.harness, "packages": dict(record.packages)}
        if record
        else None,
        "fingerprint": record.fingerprint if record else None,
        "problems": list(found.problems.get(node.name, ())),
    }


def _row(history: RowHistory) -> dict[str, Any]:
    return {
        "id": history.row.id,
        "part": history.part,
        "dataset": history.node.name,
        "stage": history.node.stage,
        "members": member_names(history),
        **_stored(history.row),
        "rejected_tries": [_stored(one) for one in history.tries],
        "source": _source(history.source),
        "earlier": [_row(one) for one in history.earlier],
        "problems": list(history.problems),
    }


def _stored(row: StoredRow) -> dict[str, Any]:
    return {"file": row.file, "values": dict(row.values)}


def _source(source: SourceDialogue | None) -> dict[str, Any] | None:
    if source is None:
        return None
    conversation = dump_conversation(source.conversation) if source.conversation else None
    return {"name": source.name, "file": source.file, "repository": source.repository, "conversation": conversation}


def _score(history: ScoreHistory) -> dict[str, Any]:
    return {
        "id": history.row.get("pair_id"),
        "evaluation": history.node.name,
        "values": dict(history.row),
        "scores": history.metrics,
        "run": dataclasses.asdict(history.run),
        "pair": dict(history.pair) if history.pair else None,
        "problems": list(history.problems),
    }
