"""Publishing on a tag: first the plan, then, behind the environment, the release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

NAMES = "--namespace ada --version v3"


@pytest.fixture
def calls(repository: Any) -> Path:
    """Record what `tft` is called with, and keep it from fetching sources from the internet."""
    tft = repository.machine.checkout / ".venv" / "bin" / "tft"
    real, file = tft.rename(tft.with_name("real-tft")), repository.machine.folder / "calls"
    tft.write_text(f'#!/bin/sh\necho "$@" >> {file}\n[ "$1" = sources ] || exec "{real}" "$@"\n')
    tft.chmod(0o755)
    return file


def test_the_plan_refuses_what_is_not_whole_before_anything_is_published(
    repository: Any, models: list[str], calls: Path, api: Any
) -> None:
    before = [(model, api.model_info(model).sha, api.model_info(model).tags) for model in models]
    job = repository.job("publish", "plan", event_name="push", ref_name="benchmark-v3").run()
    assert job.failed
    assert calls.read_text().splitlines() == ["sources fetch", f"publish {NAMES} --dry-run"]
    said = job.said("Show what would change")
    assert "has no benchmark.json" in said
    assert "Traceback" not in said
    assert before == [(model, api.model_info(model).sha, api.model_info(model).tags) for model in models]


def test_the_release_waits_for_the_plan_and_for_the_environment(repository: Any, calls: Path) -> None:
    """What `tft publish` does has tests of its own; here it only says that it was asked, and how."""
    (calls.parent / "checkout" / ".venv" / "bin" / "real-tft").write_text("#!/bin/sh\n")
    jobs = [repository.job("publish", name, event_name="push", ref_name="benchmark-v3") for name in ("plan", "publish")]
    for job in jobs:
        assert not job.run().failed, job.said()
    assert calls.read_text().splitlines() == [
        "sources fetch",
        f"publish {NAMES} --dry-run",
        "sources fetch",
        f"publish {NAMES}",
    ]
    assert jobs[1].definition["needs"] == "plan"
    assert jobs[1].definition["environment"] == "tft-publish"


def test_a_tag_in_a_project_without_a_namespace_publishes_nothing(repository: Any) -> None:
    assert not repository.job(
        "publish", "plan", event_name="push", ref_name="benchmark-v3", vars={"TFT_NAMESPACE": ""}
    ).starts
