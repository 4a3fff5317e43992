"""Runs a job of a workflow as a runner does, step by step: real shells, real files, what others publish left out."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from support.workflow_expressions import TEMPLATE, Expression, fill

ROOT = Path(__file__).resolve().parents[2]
OWN_ACTION = "$/"
STATUS_FUNCTIONS = {"always", "success", "failure", "cancelled"}
EMPTY = {"boolean": False, "number": 0}


def load(path: Path) -> dict[str, Any]:
    """Return a workflow or an action; YAML 1.1 takes the key `on` for true."""
    value = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else key: entry for key, entry in value.items()}


@dataclass(frozen=True, kw_only=True)
class Start:
    """What starts a workflow, and what the repository has set."""

    event_name: str = "workflow_dispatch"
    event: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    called: bool = False
    """Whether another workflow calls it, which was started by the event."""
    ref_name: str = "main"
    vars: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Step:
    """A step that was come to."""

    name: str
    outcome: str
    out: str = ""


class Job:
    """One job: a workspace, the files by which steps speak to the runner, and what became of each step."""

    def __init__(self, workflow: str, name: str, start: Start, machine: Machine) -> None:
        self.document = load(ROOT / ".github" / "workflows" / workflow)
        self.definition = self.document["jobs"][name]
        self.start, self.machine = start, machine
        self.workspace = machine.folder / "workspace"
        self.temp = machine.folder / "temp"
        for folder in (self.workspace, self.temp):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        self.failed = False
        self.steps: list[Step] = []
        self.path: list[str] = []
        self.summary = ""
        self.contexts: dict[str, Any] = {
            "github": self._github(name),
            "inputs": self._inputs(),
            "vars": dict(start.vars),
            "secrets": dict(start.secrets),
            "runner": {"os": "Linux", "arch": "X64", "temp": str(self.temp)},
            "steps": {},
            "env": {},
        }

    def _github(self, job: str) -> dict[str, Any]:
        return {
            "event_name": self.start.event_name,
            "event": dict(self.start.event),
            "ref_name": self.start.ref_name,
            "repository": "ada/project",
            "server_url": "https://github.example",
            "run_id": "77",
            "token": "ghs_of_the_job",
            "job": job,
        }

    def _inputs(self) -> dict[str, Any]:
        """Return what was given and the defaults; an event that has no inputs leaves them all empty."""
        trigger = "workflow_call" if self.start.called else self.start.event_name
        takes_inputs = trigger in ("workflow_call", "workflow_dispatch")
        declared = (self.document["on"].get(trigger) or {}).get("inputs") or {} if takes_inputs else {}
        assert set(self.start.inputs) <= set(declared), f"{trigger} has no inputs {self.start.inputs}"
        defaults = {name: one.get("default", EMPTY.get(one["type"], "")) for name, one in declared.items()}
        return {**defaults, **self.start.inputs}

    def _functions(self) -> dict[str, Any]:
        return {
            "always": lambda: True,
            "success": lambda: not self.failed,
            "failure": lambda: self.failed,
            "hashFiles": lambda pattern: "a-hash" if list(self.workspace.glob(pattern)) else "",
        }

    def fill(self, value: Any, contexts: Mapping[str, Any]) -> str:
        return str(fill(value, contexts, self._functions()))

    def holds(self, condition: str, contexts: Mapping[str, Any]) -> bool:
        """Return whether an `if` holds; without a word about the status it asks for success too."""
        found = TEMPLATE.fullmatch(condition.strip())
        expression = Expression(found[1] if found else condition, contexts, self._functions())
        value = bool(expression.evaluate())
        return value and (bool(expression.called & STATUS_FUNCTIONS) or not self.failed)

    @property
    def starts(self) -> bool:
        return self.holds(self.definition.get("if", "true"), self.contexts)

    def run(self) -> Job:
        assert self.starts, "the job's condition does not hold"
        for entry in (self.document.get("env"), self.definition.get("env")):
            self.contexts["env"] |= {key: self.fill(value, self.contexts) for key, value in (entry or {}).items()}
        for step in self.definition["steps"]:
            self._step(step, self.contexts, self.workspace)
        return self

    def _step(self, step: Mapping[str, Any], contexts: dict[str, Any], folder: Path) -> None:
        if not self.holds(str(step.get("if", "true")), contexts):
            return
        name = step.get("name") or step.get("uses") or step["run"]
        environment = {key: self.fill(value, contexts) for key, value in (step.get("env") or {}).items()}
        outputs: dict[str, str] = {}
        if "uses" in step:
            given = {key: self.fill(value, contexts) for key, value in (step.get("with") or {}).items()}
            passed = self._use(step["uses"], given)
            self.steps.append(Step(name=name, outcome="success" if passed else "failure"))
        else:
            place = Path(self.fill(step.get("working-directory", folder), contexts))
            passed, outputs = self._shell(name, self.fill(step["run"], contexts), environment, place)
        contexts["steps"][step.get("id", name)] = {
            "outcome": "success" if passed else "failure",
            "outputs": outputs,
        }
        if not passed and self.fill(step.get("continue-on-error", "false"), contexts) != "true":
            self.failed = True

    def _use(self, action: str, given: dict[str, str]) -> bool:
        """Run our own action's steps; of others only artifacts matter to ours."""
        if action.startswith(OWN_ACTION):
            home = self.machine.checkout / action.removeprefix(OWN_ACTION)
            definition = load(home / "action.yml")
            inputs = {name: given.get(name, one.get("default", "")) for name, one in definition["inputs"].items()}
            github = {**self.contexts["github"], "action_path": str(home)}
            contexts = {**self.contexts, "inputs": inputs, "github": github, "steps": {}}
            for step in definition["runs"]["steps"]:
                self._step(step, contexts, self.workspace)
            return not self.failed
        artifact = self.machine.folder / "artifacts" / given.get("name", "")
        path = self.workspace / given.get("path", "")
        if action.startswith("actions/upload-artifact@") and path.exists():
            shutil.rmtree(artifact, ignore_errors=True)
            shutil.copytree(path, artifact)
        elif action.startswith("actions/download-artifact@"):
            shutil.copytree(artifact, path)
        return True

    def _shell(
        self, name: str, script: str, environment: Mapping[str, str], folder: Path
    ) -> tuple[bool, dict[str, str]]:
        files = {
            key: self.temp / key.lower()
            for key in ("GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_ENV")
        }
        for file in files.values():
            file.write_text("")
        (self.temp / "script.sh").write_text(script)
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(self.temp / "script.sh")],
            cwd=folder,
            env={
                **self.machine.environment(self),
                **self.contexts["env"],
                **environment,
                **{key: str(file) for key, file in files.items()},
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.steps.append(Step(name=name, outcome="success" if done.returncode == 0 else "failure", out=done.stdout))
        self.path += files["GITHUB_PATH"].read_text().split()
        self.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        settings = {key: _settings(files[key]) for key in ("GITHUB_OUTPUT", "GITHUB_ENV")}
        self.contexts["env"] |= settings["GITHUB_ENV"]
        return done.returncode == 0, settings["GITHUB_OUTPUT"]

    def outcomes(self) -> dict[str, str]:
        """Return what became of the steps that ran, by name."""
        return {step.name: step.outcome for step in self.steps}

    def said(self, name: str | None = None) -> str:
        """Return what a step printed, or all of them."""
        return "\n".join(step.out for step in self.steps if name in (None, step.name))


def _settings(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


@dataclass(kw_only=True)
class Machine:
    """A runner: a checkout of the harness that is installed already, `gh`, and the Hub of its network."""

    folder: Path
    checkout: Path
    programs: Path
    hub: str
    extra: dict[str, str] = field(default_factory=dict)
    """Variables that GitHub sets for jobs with certain permissions."""

    def environment(self, job: Job) -> dict[str, str]:
        """Return what every step sees. `tft` is not on the PATH before the action has put it there."""
        return {
            "PATH": os.pathsep.join([*reversed(job.path), str(self.programs), "/usr/bin", "/bin"]),
            "HOME": str(self.folder),
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": "ada/project",
            "GITHUB_EVENT_PATH": str(self.event_file(job.start)),
            "RUNNER_TEMP": str(job.temp),
            "GH_STATE": str(self.folder / "github.json"),
            "COLUMNS": "200",
            **self.extra,
        }

    def event_file(self, start: Start) -> Path:
        import json

        file = self.folder / "event.json"
        file.write_text(json.dumps(start.event))
        return file
