"""Stage `corrupt`: the traces of the scenarios, as published files and as dataset repositories."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import yaml

from harness import resources
from harness.data import scenarios
from harness.data.formats.jsonl import write_atomic, write_jsonl
from harness.data.formats.published import dump_row, dump_trace
from harness.data.formats.sgd import Trace
from harness.data.formats.stage_rows import dump_dataset_row
from harness.data.formats.strict_records import FrozenModel
from harness.data.formats.task import read_task
from harness.data.scenarios import ARMS, Arm, CleanTraces, Scenario, TraceFacts
from harness.data.scenarios._base import CLEAN_FRACTION, SEED, clean_traces
from harness.data.sources import Sources, locate
from harness.errors import UsageError
from harness.hub.artifact import README
from harness.hub.client import Hub
from harness.hub.lineage import Lineage
from harness.reports.dataset_card import render, size_category
from harness.stages._result import OutputTarget, StageResult, produce
from harness.stages.collect import TASK_FILE, TEST_FILE

STAGE = "corrupt"
VERSION = 2

_FILE_NAMES: dict[Arm, str] = {"tft": "traces.jsonl", "direct": "train.jsonl"}
_SERVICES_WITHOUT_CONTENT_KEY = {"Restaurants_1"}
"""Assistant messages of these services have no `content` key in the published traces; others have null."""
_FEW_FUNCTIONS = 4
"""With more function names than this, a table of which became which says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCheck:
    """One file of a built folder against its published checksum."""

    path: str
    status: Literal["ok", "differs", "missing"]
    expected: str
    found: str | None
    """SHA-256, of the text with call ids masked where the published ids are random."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSummary:
    """One arm as its card shows it."""

    facts: TraceFacts
    transitions: list[tuple[str, str, int]]
    """(function of the source, function now, changed calls); empty where there are too many names."""


def write_published(sources: Sources, out: Path, chosen: Sequence[Scenario], arms: Sequence[Arm]) -> Iterator[Path]:
    """Write the scenarios in the published layout below `out`; yields each file as it is written."""
    dialogues = clean_traces(sources.folder)
    test_set = sources.read(TEST_FILE).decode("utf-8")
    for scenario in chosen:
        for arm in arms:
            folder = out / scenario.folder / arm
            path = folder / _FILE_NAMES[arm]
            write_atomic(path, _lines(scenario, scenario.build(dialogues, arm), arm))
            yield path
            write_atomic(folder / "test.jsonl", [test_set])
            yield folder / "test.jsonl"


def _lines(scenario: Scenario, traces: Sequence[Trace], arm: Arm) -> Iterator[str]:
    for trace in traces:
        if arm == "direct":
            yield dump_row(trace.conversation)
        else:
            null_content = trace.service not in _SERVICES_WITHOUT_CONTENT_KEY
            yield dump_trace(trace.conversation, null_content=null_content, pandas=scenario.pandas)


def verify(folder: Path, chosen: Sequence[Scenario], arms: Sequence[Arm]) -> Iterator[FileCheck]:
    """Yield one check for each published file of the chosen scenarios and arms.

    A scenario of one's own has none and is left out; UsageError where that leaves nothing to compare.
    """
    table = yaml.safe_load((resources.folder("datasets") / "published.yaml").read_text(encoding="utf-8"))
    pattern = re.compile(table["mask"]["pattern"].encode())
    replacement = table["mask"]["replacement"].encode()
    known = [one for one in chosen if any(path.startswith(f"{one.folder}/") for path in table["exact"])]
    if not known:
        raise UsageError(f"nothing of {', '.join(one.folder for one in chosen)} was published to compare with")
    for scenario in known:
        for arm in arms:
            masked = f"{scenario.folder}/{arm}/{_FILE_NAMES[arm]}"
            exact = f"{scenario.folder}/{arm}/test.jsonl"
            yield _check(folder, masked, table["masked"][masked], lambda text: pattern.sub(replacement, text))
            yield _check(folder, exact, table["exact"][exact], bytes)


def _check(folder: Path, path: str, expected: str, mask: Callable[[bytes], bytes]) -> FileCheck:
    try:
        content = (folder / path).read_bytes()
    except FileNotFoundError:
        return FileCheck(path=path, status="missing", expected=expected, found=None)
    found = hashlib.sha256(mask(content)).hexdigest()
    return FileCheck(path=path, status="ok" if found == expected else "differs", expected=expected, found=found)


class CorruptRequest(FrozenModel):
    """Which scenario is made and where it goes."""

    scenario: int
    sources: Path | None = None
    """Folder of the source files; None: the one of the environment or the cache."""
    place: OutputTarget


def run(request: CorruptRequest, hub: Hub) -> StageResult:
    """Write both arms of a scenario, or find them on the Hub; SourceError where a source file is not the pinned one."""
    scenario, sources = scenarios.get(request.scenario), locate(request.sources)
    made_from, repo_id = lineage(scenario, sources), request.place.target or ""
    return produce(made_from, hub, request.place, partial(write, scenario, sources, repo_id))


def lineage(scenario: Scenario, sources: Sources) -> Lineage:
    """Return what the traces of a scenario are made from."""
    config = {"scenario": scenario.number, "slug": scenario.slug, "clean_fraction": CLEAN_FRACTION}
    inputs = sources.inputs([TASK_FILE, *scenarios.dialogue_files(sources)])
    return Lineage(stage=STAGE, version=VERSION, config=config, inputs=inputs, seed=SEED)


def write(scenario: Scenario, sources: Sources, repo_id: str, folder: Path) -> dict[str, Any]:
    """Write the repository's files, without its lineage, into `folder`; return no counts, which the card has."""
    sources.read(TASK_FILE)  # the pinned one
    dialogues, tools = clean_traces(sources.folder), read_task(sources.folder / TASK_FILE).tools
    traces = {arm: scenario.build(dialogues, arm) for arm in ARMS}
    for arm in ARMS:
        rows = (dump_dataset_row(one, tools) for one in scenario.conversations(dialogues, arm))
        write_jsonl(folder / "data" / arm / "train.jsonl", rows)
    arms = {arm: _measure(traces[arm], dialogues) for arm in ARMS}
    card = render(
        "traces.md.jinja",
        repo_id=repo_id,
        scenario=scenarios.describe(scenario.number),
        arms=arms,
        arms_are_equal=traces["tft"] == traces["direct"],
        size=size_category(sum(arm.facts.conversations for arm in arms.values())),
        lineage=lineage(scenario, sources),
    )
    (folder / README).write_text(card, encoding="utf-8")
    return {}


def _measure(traces: Sequence[Trace], dialogues: CleanTraces) -> ArmSummary:
    facts = scenarios.measure(traces, dialogues)
    few = facts.function_names <= _FEW_FUNCTIONS
    return ArmSummary(facts=facts, transitions=scenarios.transitions(traces, dialogues) if few else [])
