"""Model cards: what a card shows, put together from records by the templates in `model_cards/`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml
from markupsafe import Markup

from harness.data.cell_names import CellName
from harness.data.published_facts import PublishedArm, PublishedFacts, PublishedScenario, ToolFacts, published_facts
from harness.data.records import Task
from harness.data.scenarios import Arm
from harness.data.tasks import REPOSITORY as TEST_SET
from harness.errors import DataError, UsageError
from harness.evaluation.metrics import DEFAULT_METRIC, JUDGE_METRIC
from harness.evaluation.records import EvalReport
from harness.evaluation.results import RESULTS, config_name
from harness.hub.address import DEFAULT_ENDPOINT
from harness.hub.artifact import Artifact, parse_input, split_revision
from harness.models.prompts import system_message
from harness.reports.evaluation_tables import prompt_notes
from harness.reports.markdown_templates import environment
from harness.resources import folder
from harness.training.run_summary import TrainingFacts

BEGIN = "<!-- tft-harness:begin -->"
END = "<!-- tft-harness:end -->"

_REPO_ID = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*", re.ASCII)
_BLOCK = re.compile(rf"^{re.escape(BEGIN)}[ \t\r]*$.*?^{re.escape(END)}[ \t\r]*$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(rf"^(?:{re.escape(BEGIN)}|{re.escape(END)})[ \t\r]*$", re.MULTILINE)

_SETTINGS = {"max_tokens": "--max-tokens", "base_url": "--base-url", "tool_choice": "--tool-choice", "judge": "--judge"}
"""Recorded settings of a run, and the options of `tft evaluate` that set them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardIdentity:
    """What a model's name says about it; a benchmark model has a scenario and an arm, any other has neither."""

    repo_id: str
    scenario: int | None
    arm: Arm | None
    student: str
    base_model: str | None
    license: str | None
    published: bool
    """Whether these are the weights that the published scores belong to."""
    fair: bool = False
    """Whether it is of the arms whose traces are swapped."""
    seed: int = 0
    """Which repetition of its cell."""

    @property
    def name(self) -> str:
        return self.repo_id.rpartition("/")[2]

    @property
    def owner(self) -> str | None:
        return self.repo_id.rpartition("/")[0] or None

    @property
    def is_repo(self) -> bool:
        """Whether the name can be a repository's, `owner/name` or `name`."""
        return _REPO_ID.fullmatch(self.repo_id) is not None


def identify(repo_id: str) -> CardIdentity:
    """Return what the name of a model repository says: scenario, arm and student of a benchmark model, or neither.

    `harness.data.cell_names` says how benchmark models are named.
    """
    facts = published_facts()
    owner, _, name = repo_id.rpartition("/")
    found = CellName.parse(repo_id)
    scenario = facts.scenario(found.scenario) if found else None
    if found is None or scenario is None:
        return CardIdentity(
            repo_id=repo_id, scenario=None, arm=None, student=name, base_model=None, license=None, published=False
        )
    known = found.student == facts.student
    return CardIdentity(
        repo_id=repo_id,
        scenario=scenario.number,
        arm=found.arm,
        student=found.student,
        base_model=facts.base_model if known else None,
        license=facts.license if known else None,
        published=known and owner == facts.namespace and not found.fair and not found.seed,
        fair=found.fair,
        seed=found.seed,
    )


def render_card(
    report: EvalReport | None,
    identity: CardIdentity,
    task: Task | None = None,
    *,
    namespace: str | None = None,
    endpoint: str = DEFAULT_ENDPOINT,
    training: TrainingFacts | None = None,
) -> str:
    """Return the text of a card, front matter included.

    A benchmark model gets a whole README, from its report or, without one, from the published figures alone. Any
    other model gets the block between `BEGIN` and `END`, see `merge_readme`; that needs a report (UsageError).
    `namespace` owns the results, and the test set where no report names one; without it the card names no results.
    `endpoint` is the Hub that links lead to. `training` is what the model's `lineage.json` says of its training.
    """
    if identity.scenario is None and report is None:
        raise UsageError(
            f"there is nothing to say about {identity.repo_id} before it is evaluated: run `tft evaluate`, "
            "or name a benchmark model, <namespace>/tft-benchmark-s<N>-<tft|direct>-<student>"
        )
    if training and not identity.base_model:
        identity = replace(identity, base_model=split_revision(training.student)[0])
    context = {**_context(report, identity, task, namespace, endpoint), "training": training}
    body = _render(section_order("benchmark" if identity.scenario else "other"), context)
    return f"{body}\n" if identity.scenario else f"{BEGIN}\n{body}\n{END}\n"


def render_trained(facts: TrainingFacts, identity: CardIdentity, *, endpoint: str = DEFAULT_ENDPOINT) -> str:
    """Return the README of a model that this harness has trained, outside the benchmark, before any evaluation."""
    dataset = parse_input(facts.dataset)
    metadata = {
        "base_model": split_revision(facts.student)[0],
        "base_model_relation": "finetune",
        "tags": ["tool-calling", "tft-harness"],
        "datasets": [dataset.repo_id] if isinstance(dataset, Artifact) else [],
        "pipeline_tag": "text-generation",
        "library_name": "transformers",
    }
    context = {
        "identity": identity,
        "training": facts,
        "endpoint": endpoint.rstrip("/"),
        "heading": Markup("##"),
        "front_matter": {key: value for key, value in metadata.items() if value},
    }
    return _render(section_order("trained"), context) + "\n"


def _render(sections: Sequence[str], context: Mapping[str, Any]) -> str:
    env = environment(folder("model_cards") / "sections")
    texts = (env.get_template(f"{name}.md.jinja").render(context).strip("\n") for name in sections)
    return "\n\n".join(text for text in texts if text)


def section_order(kind: str) -> list[str]:
    """Return the sections of a kind of card, in order, as `model_cards/order.yaml` declares them."""
    declared = yaml.safe_load((folder("model_cards") / "order.yaml").read_text(encoding="utf-8"))
    order: list[str] = declared[kind]
    return order


def _context(
    report: EvalReport | None, identity: CardIdentity, task: Task | None, namespace: str | None, endpoint: str
) -> dict[str, Any]:
    """Return the records that the templates see."""
    facts = published_facts()
    scenario = facts.scenario(identity.scenario) if identity.scenario else None
    arm = facts.arms[identity.arm] if identity.arm else None
    owner = namespace or identity.owner
    usual_test_set = f"{owner}/{TEST_SET}" if owner else TEST_SET
    base_model = (report.run.base_model if report else None) or identity.base_model
    context: dict[str, Any] = {
        "report": report,
        "prompt_notes": prompt_notes(report.run.config) if report else [],
        "identity": identity,
        "published": facts,
        "scenario": scenario,
        "arm": arm,
        "base_model": base_model,
        "tools": card_tools(task) if task else facts.tools,
        "tools_from_task": task is not None,
        "system_template": _system_template(report, task),
        "test_set": report.run.dataset if report else usual_test_set,
        "results": f"{namespace}/{RESULTS}" if namespace else None,
        "config": config_name(identity.repo_id),
        "reproduce": reproduce_command(report) if report else None,
        "judge": report.run.judge if report else None,
        "judge_metric": JUDGE_METRIC,
        "staged_metric": DEFAULT_METRIC,
        "endpoint": endpoint.rstrip("/"),
        "heading": Markup("##") if scenario else Markup("###"),  # the block sits somewhere inside another's README
    }
    if scenario and arm:
        context["front_matter"] = _front_matter(identity, facts, scenario, arm, base_model)
    return context


def _front_matter(
    identity: CardIdentity,
    facts: PublishedFacts,
    scenario: PublishedScenario,
    arm: PublishedArm,
    base_model: str | None,
) -> dict[str, str | list[str]]:
    """Return the Hub's metadata of a benchmark model, in the Hub's usual order; unknown ones are left out."""
    metadata: dict[str, str | list[str] | None] = {
        "license": identity.license,
        "base_model": base_model,
        "base_model_relation": "finetune" if base_model else None,
        "tags": [*facts.tags, f"tft-benchmark-s{scenario.number}", arm.name.lower().replace(" ", "-")],
        "datasets": list(facts.datasets),
        "language": list(facts.language),
        "pipeline_tag": facts.pipeline_tag,
        "library_name": facts.library_name,
    }
    return {key: value for key, value in metadata.items() if value is not None}


def card_tools(task: Task) -> tuple[ToolFacts, ...]:
    """Return the task's tools as a card lists them; a tool's summary is its own description."""
    return tuple(_tool_facts(tool) for tool in task.tools)


def _tool_facts(tool: Mapping[str, Any]) -> ToolFacts:
    function = tool.get("function", tool)
    parameters = function.get("parameters") or {}
    names = list(parameters.get("properties") or {})
    required = set(parameters.get("required") or ())
    return ToolFacts(
        name=function["name"],
        summary=function.get("description") or "",
        required=tuple(name for name in names if name in required),
        optional=tuple(name for name in names if name not in required),
    )


def _system_template(report: EvalReport | None, task: Task | None) -> str:
    """Return the system message with `{task_description}` in it: as the run records it, else as prompts are made."""
    used = report.run.config.get("system_template") if report else None
    placeholder = "{task_description}"
    if isinstance(used, str) and placeholder in used:
        return used
    # Its own placeholder as the description gives the template back.
    return system_message(
        Task(description=placeholder, tools=(), system_template=task.system_template if task else None)
    )


def reproduce_command(report: EvalReport) -> list[str]:
    """Return the words of the command that repeats the evaluation: both commits pinned, its settings as recorded."""
    run = report.run
    # As the report has them: a card is made of any report, and quotes what it shows.
    model = f"{run.model}@{run.model_revision}" if run.model_revision and "@" not in run.model else run.model
    words = ["tft", "evaluate", model, "--dataset", f"{run.dataset}@{run.dataset_revision}", "--no-push"]
    for key, option in _SETTINGS.items():
        value = run.config.get(key)
        for one in value if isinstance(value, list) else [] if value is None else [value]:
            words += [option, str(one)]
    pairs = run.config.get("pairs")
    if pairs != run.config.get("pairs_in_test_set"):
        words += ["--limit", str(pairs)]
    words += ["--ask-everything"] if run.config.get("ask_everything") else []
    words += ["--trust-remote-code"] if run.config.get("trust_remote_code") else []
    return words + _engine_options(run.config.get("engine_args"))


def _engine_options(arguments: object) -> list[str]:
    """Return the engine's argument words, `--key value` or `--flag`, as options of `tft evaluate`."""
    options: list[str] = []
    for word in map(str, arguments if isinstance(arguments, list) else ()):
        if word.startswith("--"):
            options.append(f"--engine-arg={word.removeprefix('--')}")
        elif options:
            options[-1] += f"={word}"
    return options


def merge_readme(existing: str, block: str) -> str:
    """Return `existing` with the marked block added at its end, or put in the place of the one it has.

    Nothing outside the block changes, and merging twice is merging once. DataError where the marks in
    `existing` are not one begin followed by one end.
    """
    marks = _MARK.findall(existing)
    found = _BLOCK.search(existing)
    block = block.strip("\n")
    if not marks:
        gap = "" if not existing else "\n" if existing.endswith("\n") else "\n\n"
        return f"{existing}{gap}{block}\n"
    if len(marks) != 2 or found is None:
        raise DataError(
            f"the README has {len(marks)} of the marks {BEGIN} and {END}, expected one of each, in this order; "
            "remove the odd ones by hand and run this again"
        )
    return existing[: found.start()] + block + existing[found.end() :]
