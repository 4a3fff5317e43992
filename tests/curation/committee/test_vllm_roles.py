"""A small model behind a real vLLM server in all four roles: one engine start, and every item has an outcome."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.curation.llm_roles.arbiter import LlmArbiter
from harness.curation.llm_roles.labeler import LlmLabeler
from harness.curation.llm_roles.rater import LlmRater
from harness.curation.llm_roles.writer import LlmWriter
from harness.data.tools import Toolbox
from harness.hub.client import Hub
from harness.hubd.embedded import running
from harness.models.chat.budget import Budget
from harness.models.chat.chat_models import ChatModels, ChatSettings
from support.garage_task import TASK, dispute, garages, plan

pytestmark = pytest.mark.slow

USERS = "users:\n  - name: ada\n    tokens:\n      - {token: hf_ada_write, role: write}\n"
COUNT = 2


def test_every_item_is_answered_or_has_a_reason_and_a_second_run_starts_no_engine(tmp_path: Path) -> None:
    """The weights are random, so the answers mean nothing; but the engine keeps them to the schema."""
    from harness.training.small_model import create_student, sample_texts

    create_student(tmp_path / "student", texts=sample_texts(), parameters=400_000, vocabulary=600, context=16384)
    (tmp_path / "users.yaml").write_text(USERS)
    with running(tmp_path / "root", users=tmp_path / "users.yaml") as server:
        hub = Hub(server.url, "hf_ada_write")
        hub.api.create_repo("ada/small")
        hub.api.upload_folder(repo_id="ada/small", folder_path=str(tmp_path / "student"))
        settings = ChatSettings(
            cache=tmp_path / "answers", log=tmp_path / "engine.log", budget=Budget(0), max_tokens=900
        )
        with ChatModels(settings, hub) as models:
            first = _all_roles(models)
        log = (tmp_path / "engine.log").read_bytes()
        assert log.count(b"Started server process") <= 1
        with ChatModels(settings, hub) as models:
            again = _all_roles(models, only_answered=first)
        assert (tmp_path / "engine.log").read_bytes() == log
        assert again == {role: [one for one in found if _answered(one)] for role, found in first.items()}


def _all_roles(models: ChatModels, only_answered: Any = None) -> dict[str, list[Any]]:
    """Return the outcomes of each role by id, checked; `only_answered` leaves out what had none before."""
    model, toolbox = models.model("ada/small"), Toolbox(TASK.tools)
    items = {
        "filter": [garages(number) for number in range(COUNT)],
        "relabel": [garages(number) for number in range(COUNT)],
        "arbiter": [dispute(number) for number in range(COUNT)],
        "synthesize": [plan(number) for number in range(COUNT)],
    }
    if only_answered is not None:
        known = {role: {one.id for one in found if _answered(one)} for role, found in only_answered.items()}
        items = {role: [one for one in found if one.id in known[role]] for role, found in items.items()}
    found: dict[str, list[Any]] = {role: [] for role in items}
    LlmRater(model, TASK).rate(items["filter"], found["filter"].append)
    LlmLabeler(model, TASK).relabel(items["relabel"], found["relabel"].append)
    LlmArbiter(model, TASK).rule(items["arbiter"], found["arbiter"].append)
    LlmWriter(model, TASK).write(items["synthesize"], found["synthesize"].append)
    for role, outcomes in found.items():
        assert sorted(one.id for one in outcomes) == sorted(one.id for one in items[role])
        outcomes.sort(key=lambda one: str(one.id))
    assert all(1 <= one.relevance <= 5 and 1 <= one.coherence <= 5 for one in found["filter"] if _answered(one))
    calls = [call for one in found["relabel"] for call in one.calls]
    calls += [one.call for one in found["arbiter"] if one.call is not None]
    assert not any(toolbox.problems(call) for call in calls)
    said = {role: [_reason(one) for one in outcomes if not _answered(one)] for role, outcomes in found.items()}
    assert all(reason for reasons in said.values() for reason in reasons), said
    return found


def _reason(outcome: Any) -> str | None:
    error = getattr(outcome, "error", None)
    if error is None and str(getattr(outcome, "reason", "")).startswith("no usable answer"):
        error = outcome.reason
    return error


def _answered(outcome: Any) -> bool:
    return _reason(outcome) is None
