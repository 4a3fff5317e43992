"""Who played which role in the making of training data: from the lineages of the stages behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.hub.artifact import Artifact, parse_input
from harness.hub.client import LINEAGE, Hub

_WORDS = {
    "synthesize": {"teacher": "Synthetic conversations written by"},
    "relabel": {"committee": "Traces relabelled by", "arbiter": "Disputes decided by"},
    "filter": {"teacher": "Traces rated by"},
}
"""Stage -> key of its configuration -> what its model did."""
_DEEPEST = 8


def read_roles(hub: Hub, dataset: str) -> dict[str, str]:
    """Return what was done -> by which model, for `repo@commit` and what it was made from; empty for raw traces.

    Rule-based stand-ins are named like models, so that nobody takes their work for a language model's.
    """
    roles: dict[str, str] = {}
    for _ in range(_DEEPEST):
        artifact = parse_input(dataset)
        if not isinstance(artifact, Artifact):
            break
        file = hub.pull(artifact, [LINEAGE]) / LINEAGE
        lineage = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        known = _WORDS.get(str(lineage.get("stage")), {})
        for key, words in known.items():
            if names := _names(lineage["config"].get(key)):
                roles[words] = names
        if not known or not lineage["inputs"]:
            break
        dataset = lineage["inputs"][0]
    return roles


def _names(played: Any) -> str:
    """Return the names of a model or of several, as a stage's configuration has them."""
    models = played if isinstance(played, list) else [played]
    return ", ".join(str(one["name"]) for one in models if isinstance(one, Mapping) and "name" in one)
