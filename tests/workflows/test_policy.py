"""What holds of every workflow and action: valid, pinned, with few rights, and no text of people in a script."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest

from harness.cli.__main__ import tft

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))
FILES = [*WORKFLOWS, *ACTIONS]
BIN = Path(sys.executable).parent
USES = re.compile(r"^ *(?:- )?uses: (.+)$", re.MULTILINE)
PINNED = re.compile(r"[\w.-]+/[\w.-]+(?:/[\w./-]+)?@[0-9a-f]{40} # v\d+\.\d+\.\d+")

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name + "/" + path.name)
each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def check(*command: str | Path) -> None:
    done = subprocess.run([BIN / command[0], *command[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def steps_of(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in document.get("jobs", {"action": document.get("runs")}).values():
        yield from job["steps"]


def test_the_official_schemas_accept_every_file() -> None:
    """The schemas come with the program: nothing is downloaded."""
    check("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)
    check("check-jsonschema", "--builtin-schema", "vendor.github-actions", *ACTIONS)
    check("check-jsonschema", "--builtin-schema", "vendor.dependabot", GITHUB / "dependabot.yml")
    forms = [path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"]
    check("check-jsonschema", "--builtin-schema", "vendor.github-issue-forms", *forms)
    check("check-jsonschema", "--builtin-schema", "vendor.citation-file-format", ROOT / "CITATION.cff")


def test_the_auditor_finds_nothing() -> None:
    check("zizmor", "--offline", "--pedantic", "--no-progress", GITHUB)


@each_file
def test_every_action_is_pinned_by_hash_with_its_version_beside_it(path: Path) -> None:
    for used in USES.findall(path.read_text(encoding="utf-8")):
        assert used.startswith("$/") or PINNED.fullmatch(used), used


def test_an_action_has_one_version() -> None:
    used = {line for path in FILES for line in USES.findall(path.read_text(encoding="utf-8"))}
    names = [line.partition("@")[0] for line in used]
    assert sorted(names) == sorted(set(names))


@each_workflow
def test_a_workflow_has_no_rights_and_its_jobs_few(path: Path, load_yaml: Callable[[Path], dict[str, Any]]) -> None:
    document = load_yaml(path)
    allowed = {"id-token", "attestations"} if path.stem == "release" else {"id-token", "pull-requests"}
    assert document["permissions"] == {}
    for job in document["jobs"].values():
        written = {right for right, level in job["permissions"].items() if level == "write"}
        assert written <= allowed
        assert job["timeout-minutes"]
        assert "concurrency" in job or "concurrency" in document


@each_file
def test_no_expression_stands_in_the_text_of_a_script(path: Path, load_yaml: Callable[[Path], dict[str, Any]]) -> None:
    for step in steps_of(load_yaml(path)):
        assert "${{" not in step.get("run", "")


@each_workflow
def test_code_of_a_pull_request_is_never_checked_out_with_secrets(
    path: Path, load_yaml: Callable[[Path], dict[str, Any]]
) -> None:
    document = load_yaml(path)
    if {"pull_request_target", "issue_comment", "workflow_run"} & set(document["on"]):
        assert not [step for step in steps_of(document) if "actions/checkout" in step.get("uses", "")]


@each_workflow
def test_secrets_are_seen_by_single_steps(path: Path, load_yaml: Callable[[Path], dict[str, Any]]) -> None:
    document = load_yaml(path)
    for wider in (document.get("env"), *(job.get("env") for job in document["jobs"].values())):
        assert "secrets." not in str(wider)
        assert "token" not in str(wider).lower()
    for step in steps_of(document):
        assert "secrets." not in str(step.get("with")), "a cache or an artifact needs no secret"


@each_file
def test_what_sees_secrets_restores_no_packages_that_another_run_has_left(
    path: Path, load_yaml: Callable[[Path], dict[str, Any]]
) -> None:
    """The one cache that a job with secrets may restore holds weights, and the caller has to name it."""
    document = load_yaml(path)
    secret = path.name == "action.yml" or "secrets." in path.read_text(encoding="utf-8")
    caches = [step for step in steps_of(document) if step.get("uses", "").startswith("actions/cache")]
    setups = [step for step in steps_of(document) if step.get("uses", "").startswith("actions/setup-python")]
    assert not any("cache" in step.get("with", {}) for step in setups)
    if secret:
        assert [step.get("if") for step in caches] in ([], ["inputs.weights != ''"])


@each_file
def test_what_must_not_outlive_a_job_lies_in_the_runner_s_temporary_folder(
    path: Path, load_yaml: Callable[[Path], dict[str, Any]]
) -> None:
    """On a runner of one's own the workspace of a job without a checkout is the one that the last job left."""
    for job in load_yaml(path).get("jobs", {}).values():
        if any(step.get("uses", "").startswith("actions/checkout") for step in job["steps"]):
            continue
        for step in job["steps"]:
            assert "hashFiles" not in str(step)
            assert str(step.get("with", {}).get("path", "${{ runner.temp }}")).startswith("${{ runner.temp }}")
            words = shlex.split(step.get("run", ""))
            for option, value in pairwise(words):
                if option in ("--out", "--markdown"):
                    assert value.startswith(("$RUNNER_TEMP/", "$COMMENT"))


@each_workflow
def test_both_ways_to_start_a_workflow_take_the_same_inputs(
    path: Path, load_yaml: Callable[[Path], dict[str, Any]]
) -> None:
    """One that starts by hand may leave some out, never call them something else."""
    triggers = load_yaml(path)["on"]
    by_hand = (triggers.get("workflow_dispatch") or {}).get("inputs", {})
    assert set(by_hand) <= set((triggers.get("workflow_call") or {}).get("inputs", {}))


def test_our_own_tests_run_on_every_python_without_the_sources_and_once_with_them(
    load_yaml: Callable[[Path], dict[str, Any]],
) -> None:
    job = load_yaml(GITHUB / "workflows" / "ci.yml")["jobs"]["test"]
    [step] = [one for one in job["steps"] if one.get("run") == 'make "$TESTS"']
    assert step["env"] == {"TESTS": "${{ matrix.tests }}", "TFT_SOURCES": "${{ matrix.sources }}"}
    assert "if" not in step
    assert "test-all" in [one["tests"] for one in job["strategy"]["matrix"]["include"]]
    runs = [(one["python-version"], bool(one["sources"])) for one in job["strategy"]["matrix"]["include"]]
    assert [version for version, sources in runs if not sources] == ["3.11", "3.12"]
    assert any(sources for _, sources in runs)


def test_the_job_that_signs_a_release_runs_nothing_of_the_build(load_yaml: Callable[[Path], dict[str, Any]]) -> None:
    jobs = load_yaml(GITHUB / "workflows" / "release.yml")["jobs"]
    signing = [job for job in jobs.values() if "write" in job["permissions"].values()]
    assert [set(job["permissions"]) for job in signing] == [{"id-token", "attestations"}]
    assert not [step for step in signing[0]["steps"] if "run" in step or "actions/checkout" in step["uses"]]
    assert not [step for job in jobs.values() for step in job["steps"] if "cache" in step.get("uses", "")]


def find(words: list[str]) -> tuple[click.Command, list[str], str]:
    """Return the command of `tft WORDS`, the words that are left, and how its variables begin."""
    command, prefix = tft, "TFT"
    while isinstance(command, click.Group):
        name = words[0]
        found = command.get_command(click.Context(command), name)
        assert found is not None, f"tft has no command {name}"
        command, words, prefix = found, words[1:], f"{prefix}_{name.upper().replace('-', '_')}"
    return command, words, prefix


@each_file
def test_every_command_takes_the_options_and_variables_that_it_is_given(
    path: Path, load_yaml: Callable[[Path], dict[str, Any]]
) -> None:
    document = load_yaml(path)
    for job in document.get("jobs", {"action": document.get("runs")}).values():
        for step in job["steps"]:
            commands = [shlex.split(line)[1:] for line in step.get("run", "").splitlines() if line.startswith("tft ")]
            known: set[str] = set()
            for words in commands:
                command, rest, prefix = find(words)
                options = {option for parameter in command.params for option in parameter.opts}
                assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= options, words
                known |= {f"{prefix}_{parameter.name}".upper() for parameter in command.params}
            given = {**job.get("env", {}), **step.get("env", {})} if commands else {}
            assert {name for name in given if name.startswith("TFT_")} <= known, step["name"]
