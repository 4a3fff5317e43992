"""How a step is run: its request in a process of its own here, or its command of `tft` as a job on rented hardware."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from harness.benchmark.plan import BenchmarkPlan, pinned
from harness.benchmark.reuse import BenchmarkState
from harness.benchmark.schedule import StepResult
from harness.benchmark.steps import Step, joined
from harness.data.formats.jsonl import write_json
from harness.errors import HarnessError, UsageError
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.hub.jobs import JobOptions, submit, wait

_TRAINING = ("student", "train")
_RESUMABLE = {"student": "work", "train": "run", "evaluate": "run"}
"""Module -> the field of its request that names the folder where it keeps its work."""
_TAIL = 5

# Between fork and exec a process with threads must not run Python, so that a small program ties the command to this
# process: the kernel kills it when the one that started it dies, kill -9 included, and nothing keeps running unseen.
_TETHER = (
    "import ctypes, os, sys\n"
    "sys.platform == 'linux' and ctypes.CDLL(None).prctl(1, 9)\n"
    "os.getppid() == int(sys.argv[1]) or sys.exit(1)\n"
    "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where steps are run, and where they keep logs and unfinished work."""

    folder: Path
    threads: int | None = None
    """Threads of a step that trains; None: the cores."""
    parallel: int = 1
    """Steps side by side."""
    flavors: Mapping[str, str] | None = None
    """Stage -> hardware flavor of a Hugging Face Job, for the stages that run elsewhere."""
    job: JobOptions | None = None


class Runner:
    """Runs steps, unless the Hub has their results."""

    def __init__(self, hub: Hub, state: BenchmarkState, machine: Machine) -> None:
        self._hub, self._state, self._machine = hub, state, machine
        self._shares: SimpleQueue[str] = SimpleQueue()
        for share in shares(machine.parallel):
            self._shares.put(share)

    def __call__(self, steps: Sequence[Step], artifacts: Mapping[str, Artifact]) -> list[StepResult | HarnessError]:
        """Return what became of each step; a failure says in which log it is explained."""
        exact = [pinned(step, artifacts) for step in steps]
        found = {step.key: self._state.find(step, artifacts) for step in exact}
        missing = [step for step in exact if found[step.key] is None]
        made = dict(zip([step.key for step in missing], self._make(missing, artifacts), strict=True))
        there = {key: StepResult(artifact=one, reused=True) for key, one in found.items() if one}
        return [{**there, **made}[step.key] for step in exact]

    def _make(self, steps: Sequence[Step], artifacts: Mapping[str, Artifact]) -> list[StepResult | HarnessError]:
        """Run steps that are run as one; where that fails, those whose results are there all the same are done."""
        if len(steps) < 2:
            return [self._run(step, artifacts) for step in steps]
        try:
            self._run(joined(steps), artifacts)
        except HarnessError as error:
            self._state.forget_reports()
            found = [self._state.find(step, artifacts) for step in steps]
            return [StepResult(artifact=one, reused=False) if one else error for one in found]
        return [StepResult(artifact=self._state.evaluated(step, artifacts), reused=False) for step in steps]

    def _run(self, step: Step, artifacts: Mapping[str, Artifact]) -> StepResult:
        flavor = None if step.here else (self._machine.flavors or {}).get(step.stage)
        if flavor:
            self._run_job(step.words, flavor)
            made = StepResult(artifact=self._newest(step, artifacts), reused=False)
        else:
            made = self._run_here(step, artifacts)
        self._state.tag_result(step, made.artifact)
        if step.stage == "evaluate":
            self._state.forget_reports()
        return made

    def _newest(self, step: Step, artifacts: Mapping[str, Artifact]) -> Artifact:
        """Return what a job has pushed."""
        if step.stage == "evaluate":
            return self._state.evaluated(step, artifacts)
        return self._hub.resolve(step.kind, step.makes)

    def _run_job(self, words: Sequence[str], flavor: str) -> None:
        command = ["tft", *words]  # without places, which are of this machine
        wait(submit(command, flavor=flavor, hub=self._hub, dry_run=False, options=self._machine.job), self._hub)

    def _run_here(self, step: Step, artifacts: Mapping[str, Artifact]) -> StepResult:
        name = f"{step.stage}-{(step.together or step.makes).rpartition('/')[2].replace(':', '-')}"
        log = self._machine.folder / "logs" / f"{name}.log"
        document = log.with_suffix(".json")
        write_json(document, {"stage": step.module, "request": {**step.request, **self._kept(step, name)}})
        command = [sys.executable, "-c", _TETHER, str(os.getpid()), "-m", "harness.stages", str(document)]
        with log.open("wb") as stream, self._environment(step) as environment:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stream, env=environment, check=False
            )
        if done.returncode:
            raise HarnessError(failure(done.returncode, log))
        if step.stage == "evaluate":
            return StepResult(artifact=self._state.evaluated(step, artifacts), reused=False)
        said = json.loads(done.stdout.decode().strip().splitlines()[-1])
        artifact = Artifact(kind=step.kind, repo_id=step.makes, revision=said["revision"])
        return StepResult(artifact=artifact, reused=bool(said["reused"]))

    def _kept(self, step: Step, name: str) -> dict[str, Any]:
        """Return the fields by which a stage keeps its work in a folder and resumes what it finds there.

        Unfinished work of other inputs or another version has another folder: it is not resumed. Evaluations that may
        be run as one have a folder each in that of their base, named like that by the stage: whichever of them are
        left after a kill find their answers there.
        """
        if step.module not in _RESUMABLE:
            return {}
        if step.together:
            return {"root": str(self._machine.folder / name), "resume": True}
        folder = {_RESUMABLE[step.module]: str(self._machine.folder / f"{name}-{self._state.tag(step)}")}
        return folder if step.module == "student" else {**folder, "resume": True}

    @contextmanager
    def _environment(self, step: Step) -> Iterator[dict[str, str]]:
        """Yield the environment of a process, with cores that no other one computes on meanwhile."""
        share = self._shares.get()
        environment = dict(os.environ)
        if share:
            # Engines whose threads wait for one another on the same cores take many times as long.
            environment.setdefault("VLLM_CPU_OMP_THREADS_BIND", share)
        if step.stage in _TRAINING:
            environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `tft train` has it, see `cli._options`
            if self._machine.threads:
                environment["OMP_NUM_THREADS"] = str(self._machine.threads)
        try:
            yield environment
        finally:
            self._shares.put(share)


def check_jobs(plan: BenchmarkPlan, flavors: Mapping[str, str]) -> None:
    """Raise UsageError where a stage that is to run as a job reads local files; a job has the Hub only."""
    for step in plan.steps:
        local = [word for word in step.places if word in ("--endpoints", "--job", "--folder")]
        if step.stage in flavors and local and not step.here:
            raise UsageError(
                f"the stage {step.stage} cannot run as a job: {local[0]} names files of this machine; run it here, or "
                "name models that need no endpoint"
            )


def shares(parallel: int) -> list[str]:
    """Return the cores of each of `parallel` processes, as `0,2`; empty where each may use all of them."""
    cores = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
    if parallel == 1 or len(cores) < parallel:
        return [""] * parallel
    return [",".join(map(str, cores[place::parallel])) for place in range(parallel)]


def failure(status: int, log: Path) -> str:
    """Return why a command failed: its own sentence, or the end of its output."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    said = next((line.removeprefix("error: ") for line in reversed(lines) if line.startswith("error: ")), None)
    said = said or " / ".join(lines[-_TAIL:]) or "it said nothing"
    return f"{said} (exit status {status}; the log is {log})"


_WHERE = re.compile(r" \(exit status -?\d+; the log is .*\)$")


def without_log(problem: str) -> str:
    """Return why a step failed without where its log is: what others read names no folder of this machine."""
    return _WHERE.sub("", problem)
