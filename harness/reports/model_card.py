"""Model cards: what a card shows, put together from records by the templates in `model_cards/`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml
from markupsafe import Markup

from harness.data.cell_names import CellName
from harness.data.published_facts import PublishedArm, PublishedFacts, PublishedScenario, ToolFacts, published_facts
from harness.data.records import Task
from harness.data.scenarios import Arm
from harness.data.tasks import REPOSITORY as TEST_SET
from harness.errors import UsageError
from harness.evaluation.baselines import BASELINES, best_nulls
from harness.evaluation.card_verdict import CardVerdict
from harness.evaluation.metrics import DEFAULT_METRIC, JUDGE_METRIC, by_rank
from harness.evaluation.records import EvalReport
from harness.evaluation.results import RESULTS, config_name
from harness.hub.address import DEFAULT_ENDPOINT
from harness.hub.artifact import Artifact, parse_input, split_revision
from harness.reports.card_block import BEGIN, END
from harness.reports.card_use import model_use
from harness.reports.evaluation_tables import arithmetic_note, prompt_notes
from harness.reports.markdown_templates import environment
from harness.reports.reproduce import inspect_command, reproduce_command
from harness.resources import folder
from harness.training.run_summary import TrainingFacts

_REPO_ID = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*", re.ASCII)

_ANY_REQUEST = "Hello, can you help me?"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPlace:
    """Where a card will stand."""

    namespace: str | None = None
    """Owns the results, and the test set where no report names one; without it the card names no results."""
    endpoint: str = DEFAULT_ENDPOINT
    """The Hub that links lead to."""
    whole: bool = False
    """Whether the README of a model that the harness has trained is all ours; that of a benchmark model always is."""
    pictures: Collection[str] = ()
    """The report's plots that lie in `plots/` beside a README that is all ours."""
    beside: CardVerdict | None = None
    """The verdict and the models beside this one, of the report that is shown."""


def render_card(
    report: EvalReport | None,
    identity: CardIdentity,
    task: Task | None = None,
    *,
    training: TrainingFacts | None = None,
    place: CardPlace | None = None,
) -> str:
    """Return the text of a card, front matter included.

    A benchmark model gets a whole README, from its report or, without one, from the published figures alone; so does,
    with `whole`, another model that the harness has trained, its text between `BEGIN` and `END`. Any other model gets
    the block between the two, see `merge_readme`; that needs a report (UsageError). `training` is what the model's
    `lineage.json` says of its training.
    """
    if report and report.samples:
        raise UsageError(
            f"the report of {report.run.model} is about several samples of each turn, and a card about the greedy "
            "answer; evaluate without --samples"
        )
    place = place or CardPlace()
    whole = place.whole and training is not None
    if identity.scenario is None and report is None and not whole:
        raise UsageError(
            f"there is nothing to say about {identity.repo_id} before it is evaluated: run `tft evaluate`, "
            "or name a benchmark model, <namespace>/tft-benchmark-s<N>-<tft|direct>-<student>"
        )
    if training and not identity.base_model:
        identity = replace(identity, base_model=split_revision(training.student)[0])
    context = _context(report, identity, task, training, place)
    shown = sorted(set(place.pictures) & report.plots.keys()) if report and (identity.scenario or whole) else []
    heading = Markup("##") if identity.scenario or whole else Markup("###")  # the block sits somewhere inside a README
    context |= {"heading": heading, "pictures": shown}
    if identity.scenario:
        return _render(section_order("benchmark"), context) + "\n"
    block = f"{BEGIN}\n{_render(section_order('trained' if whole else 'other'), context)}\n{END}\n"
    return f"{_render(['front_matter'], context)}\n\n{block}" if whole else block


def _render(sections: Sequence[str | Mapping[str, Sequence[str]]], context: Mapping[str, Any]) -> str:
    """Return the sections that have something to say; a list under a title is folded."""
    env = environment(folder("model_cards") / "sections")
    texts = []
    for section in sections:
        if isinstance(section, str):
            texts.append(env.get_template(f"{section}.md.jinja").render(context).strip("\n"))
            continue
        for title, folded in section.items():
            text = _render(folded, context)
            texts.append(text and f"<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>")
    return "\n\n".join(text for text in texts if text)


def section_order(kind: str) -> list[str | dict[str, list[str]]]:
    """Return the sections of a kind of card, in order, those to be folded under their title."""
    declared = yaml.safe_load((folder("model_cards") / "order.yaml").read_text(encoding="utf-8"))
    order: list[str | dict[str, list[str]]] = declared[kind]
    return order


def _context(
    report: EvalReport | None,
    identity: CardIdentity,
    task: Task | None,
    training: TrainingFacts | None,
    place: CardPlace,
) -> dict[str, Any]:
    """Return the records that the templates see."""
    facts = published_facts()
    scenario = facts.scenario(identity.scenario) if identity.scenario else None
    arm = facts.arms[identity.arm] if identity.arm else None
    base_model = (report.run.base_model if report else None) or identity.base_model
    front_matter = _front_matter(identity, facts, scenario, arm, base_model) if scenario and arm else {}
    if training and not scenario:
        front_matter = _trained_front_matter(training)
    return {
        "report": report,
        "metrics": sorted(report.rows["model"], key=by_rank) if report else [],
        "best_null": best_nulls(report.rows) if report else {},
        "verdict": place.beside if report else None,
        "baselines": BASELINES,
        "arithmetic_note": arithmetic_note(report.run) if report else [],
        "thinking": report.thinking_words if report else None,
        "prompt_notes": prompt_notes(report.run.config) if report else [],
        "identity": identity,
        "published": facts,
        "scenario": scenario,
        "arm": arm,
        "training": training,
        "base_model": base_model,
        "tools": card_tools(task) if task else facts.tools,
        "use": model_use(identity.repo_id, report, task, training, _test_set(identity, place)),
        "request": facts.example_request if scenario else _ANY_REQUEST,
        "results": f"{place.namespace}/{RESULTS}" if place.namespace else None,
        "config": config_name(identity.repo_id, report.run.thinking if report else None),
        "reproduce": reproduce_command(report) if report else None,
        "inspect": inspect_command(report) if report else None,
        "judge": report.run.judge if report else None,
        "judge_metric": JUDGE_METRIC,
        "staged_metric": DEFAULT_METRIC,
        "endpoint": place.endpoint.rstrip("/"),
        "front_matter": front_matter,
    }


def _test_set(identity: CardIdentity, place: CardPlace) -> str | None:
    """Return the repository of the benchmark's test set for one of its models, None for another model."""
    owner = place.namespace or identity.owner
    return (f"{owner}/{TEST_SET}" if owner else TEST_SET) if identity.scenario else None


def _trained_front_matter(training: TrainingFacts) -> dict[str, str | list[str]]:
    """Return the Hub's metadata of a model outside the benchmark that this harness has trained."""
    dataset = parse_input(training.dataset)
    return {
        "base_model": split_revision(training.student)[0],
        "base_model_relation": "finetune",
        "tags": ["tool-calling", "tft-harness"],
        **({"datasets": [dataset.repo_id]} if isinstance(dataset, Artifact) else {}),
        "pipeline_tag": "text-generation",
        "library_name": "transformers",
    }


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
