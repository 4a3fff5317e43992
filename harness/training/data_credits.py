"""Who played which role in the making of training data: from the lineages of the stages behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.hub.artifact import Artifact, parse_input
from harness.hub.client import Hub
from harness.hub.lineage import follow_data

_WORDS = {
    "synthesize": {"teacher": "Synthetic conversations written by"},
    "relabel": {"committee": "Traces relabelled by", "arbiter": "Disputes decided by"},
    "filter": {"teacher": "Traces rated by"},
}
"""Stage -> key of its configuration -> what its model did."""


def read_roles(hub: Hub, dataset: str) -> dict[str, str]:
    """Return what was done -> by which model, for `repo@commit` and what it was made from; empty for raw traces.

    Rule-based stand-ins are named like models, so that nobody takes their work for a language model's.
    """
    roles: dict[str, str] = {}
    artifact = parse_input(dataset)
    if not isinstance(artifact, Artifact):
        return roles
    for _, record in follow_data(hub, artifact):
        for key, words in _WORDS.get(record.lineage.stage, {}).items():
            if names := _names(record.lineage.config.get(key)):
                roles[words] = names
    return roles


def _names(played: Any) -> str:
    """Return the names of a model or of several, as a stage's configuration has them."""
    models = played if isinstance(played, list) else [played]
    return ", ".join(str(one["name"]) for one in models if isinstance(one, Mapping) and "name" in one)
