"""A release that was killed while it was made public: the next run finishes it, or hides again what is seen of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.benchmark.release.apply import BRANCH
from harness.cli.__main__ import tft
from harness.hub.client import Hub

SHOWN = 3
_ENDS_ITSELF = """
import os, sys, time
from harness.benchmark.release.apply import apply_plan
from harness.benchmark.release.changes import MakePublic
from harness.cli.publish import _parts
from harness.benchmark.release.plan import ReleaseOptions, plan_release
from harness.errors import end_on_signals
from harness.hub.client import Hub

end_on_signals()
hub = Hub.connect(os.environ["HF_ENDPOINT"])
plan = plan_release(hub, ReleaseOptions(namespace=sys.argv[1], partial=True), _parts(None))
shown = 0
for change in apply_plan(hub, plan):
    shown += isinstance(change, MakePublic)
    if shown == int(sys.argv[2]):
        os.kill(os.getpid(), int(sys.argv[3]))
        time.sleep(30)
"""


def public(stranger: Any, namespace: str) -> set[str]:
    lists = (stranger.list_models, stranger.list_datasets, stranger.list_spaces)
    return {one.id for listing in lists for one in listing(author=namespace)}


def branches(benchmark: Any, api: Any) -> set[str]:
    return {one.name for one in api.list_repo_refs(benchmark.repo("results"), repo_type="dataset").branches}


@pytest.fixture
def variables(hub: Hub) -> dict[str, str]:
    return {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": "hf_ada"}


@pytest.fixture
def benchmark(make_benchmark: Callable[..., Any]) -> Any:
    return make_benchmark(("s2", "direct"))


@pytest.fixture
def killed(benchmark: Any, variables: dict[str, str]) -> Callable[[int], int]:
    """Release until so much is public, and end by a signal; returns the status."""

    def run(number: int) -> int:
        command = [sys.executable, "-c", _ENDS_ITSELF, benchmark.namespace, str(SHOWN), str(number)]
        return subprocess.run(command, env=os.environ | variables, capture_output=True, check=False).returncode

    return run


@pytest.fixture
def publish(benchmark: Any, variables: dict[str, str]) -> Callable[..., Result]:
    return lambda *words: CliRunner(env=variables).invoke(tft, ["publish", "--namespace", benchmark.namespace, *words])


def test_what_ends_a_process_in_order_leaves_nothing_public(benchmark, killed, stranger, api) -> None:
    assert killed(signal.SIGTERM) not in (0, -signal.SIGTERM)
    assert public(stranger, benchmark.namespace) == set()
    assert branches(benchmark, api) == {"main"}


def test_the_next_run_finishes_what_was_killed_and_says_so(benchmark, killed, publish, stranger, api) -> None:
    assert killed(signal.SIGKILL) == -signal.SIGKILL
    seen = public(stranger, benchmark.namespace)
    assert len(seen) == SHOWN
    done = publish("--partial", "--dry-run")
    assert "an earlier run was killed while it made the release public" in done.stderr
    assert public(stranger, benchmark.namespace) == seen
    done = publish("--partial")
    assert done.exit_code == 0, done.output
    assert all(name in done.stderr for name in seen)
    assert not any(one["private"] for one in benchmark.everything().values())
    assert branches(benchmark, api) == {"main"}
    assert "nothing to change" in publish("--partial").stdout


def test_the_next_run_hides_what_was_killed_where_it_cannot_be_finished(
    benchmark, killed, publish, stranger, hub, api
) -> None:
    killed(signal.SIGKILL)
    seen = public(stranger, benchmark.namespace)
    assert BRANCH in branches(benchmark, api)
    refused = publish("--dry-run")  # without --partial: cells are missing
    assert refused.exit_code == 1
    assert public(stranger, benchmark.namespace) == seen
    refused = publish()
    assert refused.exit_code == 1
    assert "private again are" in refused.stderr
    assert all(name in refused.stderr for name in seen)
    assert public(stranger, benchmark.namespace) == set()
    assert branches(benchmark, api) == {"main"}
