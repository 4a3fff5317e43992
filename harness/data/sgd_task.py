"""Any service of SGD as a task: a job folder with tools, traces and a test set, and its damaged scenarios."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.formats.jsonl import write_atomic, write_json, write_jsonl
from harness.data.formats.messages import dump_conversation
from harness.data.formats.published import dump_row, dump_trace
from harness.data.formats.sgd import REPLY_TOOL, Trace, read_all
from harness.data.formats.task import dump_task
from harness.data.records import Task
from harness.data.scenarios._base import SEED
from harness.data.scenarios._task_scenarios import Damaged, ScenarioMaterial, task_scenarios
from harness.data.sources import Sources
from harness.data.tools import Toolbox
from harness.errors import DataError, SourceError, UsageError
from harness.statistics.formatting import most_common_first

TASK, TRACES, TEST, CLEAN, SCENARIOS = (
    "job_description.json",
    "traces.jsonl",
    "test.jsonl",
    "clean.jsonl",
    "scenarios",
)
TEST_SHARE, TEST_MOST = 0.1, 40
"""A tenth of the dialogues becomes the test set, at least one and at most this many."""

_REPLY = {
    "name": REPLY_TOOL,
    "description": "Say something to the user: ask for what is missing, tell what was found, confirm what was done. "
    "Returns nothing; the user's next message follows.",
    "parameters": {
        "type": "object",
        "properties": {"message": {"type": "string", "description": "What to say to the user."}},
        "required": ["message"],
    },
}
_DESCRIPTION = """You are an assistant for this service: {service}.

You act through tools, exactly one call each turn. What you can do:
{intents}

A call of a service tool is answered by the next message, which holds its results as a JSON list; an empty list means \
that nothing was found. Everything that the user is to read goes through {reply}.

Call a service tool as soon as the conversation gives all of its required arguments, and take every value from what \
was said or found. Give an optional argument only where it was asked for. Ask for what is missing, one question at a \
time. {transactional}Tell the user what was found or done before you go on."""
_TRANSACTIONAL = "Before {tools}, state the details and let the user confirm them. "


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSummary:
    """What was written."""

    folder: str
    service: str
    tools: tuple[str, ...]
    traces: int
    test: int
    foreign: str
    """The service that foreign messages and conversations are taken from."""
    scenarios: dict[str, dict[str, int]]
    """Slug -> `traces`, `changed_calls`, `foreign` (conversations that do not belong)."""


def write_job_folder(sources: Sources, service: str, out: Path, *, foreign: str | None = None) -> JobSummary:
    """Write the job folder of an SGD service and, below it, one for each of its scenarios.

    `job_description.json`, `traces.jsonl`, `test.jsonl` in the published layouts, `clean.jsonl` with the truth: rows
    of id (SGD `split/dialogue_id`), source and messages, in the scenarios also `belongs` and `corruptions`. Raises
    UsageError for a service without dialogues, SourceError or DataError for damaged files, a schema that is missing
    and calls that it does not describe.
    """
    by_service: dict[str, list[Trace]] = {}
    for trace in read_all(sources):
        by_service.setdefault(trace.service, []).append(trace)
    _known(service, by_service)
    other = foreign or _other_domain(service, by_service)
    _known(other, by_service)
    if other == service:
        raise UsageError(f"--foreign names {service} itself; give a service of another domain")
    test, traces = _split(service, by_service[service])
    schema, other_schema = read_schema(sources, service), read_schema(sources, other)
    task = describe(schema, by_service[service])
    material = ScenarioMaterial(
        traces=traces,
        toolbox=Toolbox(task.tools),
        foreign=by_service[other],
        foreign_tools=_counterparts(other_schema, schema),
    )
    scenarios = task_scenarios(material)
    clean = (dump_conversation(trace.conversation) for trace in traces)
    _write(out, task, traces, test, list(clean))
    for slug, damaged in scenarios.items():
        _write(out / SCENARIOS / slug, task, [one.trace for one in damaged], test, list(map(dump_truth, damaged)))
    return JobSummary(
        folder=str(out),
        service=service,
        tools=material.toolbox.names,
        traces=len(traces),
        test=len(test),
        foreign=other,
        scenarios={slug: _counts(damaged) for slug, damaged in scenarios.items()},
    )


def _known(service: str, by_service: Mapping[str, Sequence[Trace]]) -> None:
    if service in by_service:
        return
    counts = most_common_first(Counter({name: len(traces) for name, traces in by_service.items()}))
    listing = ", ".join(f"{name} ({count})" for name, count in counts.items()) or "none at all"
    raise UsageError(f"no dialogues are about the service {service!r} alone; there are dialogues of {listing}")


def _domain(service: str) -> str:
    return service.rsplit("_", 1)[0]


def _other_domain(service: str, by_service: Mapping[str, Sequence[Trace]]) -> str:
    """Return the service of another domain with the most dialogues."""
    others = {name: len(traces) for name, traces in by_service.items() if _domain(name) != _domain(service)}
    if not others:
        raise UsageError(f"all dialogues are of {_domain(service)}; foreign messages need a service of another domain")
    return next(iter(most_common_first(others)))


def read_schema(sources: Sources, service: str) -> dict[str, Any]:
    """Return the SGD schema of a service; SourceError where no split has it."""
    paths = [f"sgd/{split}/schema.json" for split in ("train", "dev", "test")]
    present = [path for path in paths if (sources.folder / path).is_file()]
    for path in present or paths[:1]:
        content = sources.read(path) if path in sources.files else (sources.folder / path).read_bytes()
        for schema in json.loads(content):
            if schema["service_name"] == service:
                return dict(schema)
    raise SourceError(f"no schema of {service} in {', '.join(present)} below {sources.folder}; run `tft sources fetch`")


def describe(schema: Mapping[str, Any], traces: Sequence[Trace]) -> Task:
    """Return the task of a service: its intents as tools, made such that every call in the traces is valid.

    Slots are text; categorical ones have their possible values and those that calls use besides. An argument is
    required where the intent requires it and no call goes without. Raises DataError for a call of no intent.
    """
    calls = [call for trace in traces for call in trace.calls if call.name != REPLY_TOOL]
    arguments: dict[str, list[dict[str, Any]]] = {intent["name"]: [] for intent in schema["intents"]}
    for call in calls:
        if call.name not in arguments:
            raise DataError(f"a dialogue calls {call.name}, which the schema of {schema['service_name']} does not have")
        arguments[call.name].append(call.arguments)
    tools = [_function(intent, schema["slots"], arguments[intent["name"]]) for intent in schema["intents"]]
    task = Task(
        description=_description(schema), tools=tuple({"type": "function", "function": one} for one in (_REPLY, *tools))
    )
    toolbox = Toolbox(task.tools)
    for call in calls:
        for problem in toolbox.problems(call):
            raise DataError(f"a clean call does not fit the tools made from {schema['service_name']}: {problem}")
    return task


def _description(schema: Mapping[str, Any]) -> str:
    transactional = [intent["name"] for intent in schema["intents"] if intent["is_transactional"]]
    return _DESCRIPTION.format(
        service=schema["description"].rstrip(". "),
        intents="\n".join(f"- {intent['name']}: {intent['description']}" for intent in schema["intents"]),
        reply=REPLY_TOOL,
        transactional=_TRANSACTIONAL.format(tools=" or ".join(transactional)) if transactional else "",
    )


def _function(
    intent: Mapping[str, Any], slots: Sequence[Mapping[str, Any]], calls: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    known = {slot["name"]: slot for slot in slots}
    seen = [key for arguments in calls for key in arguments]
    names = dict.fromkeys([*intent["required_slots"], *intent["optional_slots"], *seen])
    properties = {}
    for name in names:
        slot = known.get(name, {"description": "", "is_categorical": False})
        properties[name] = {"type": "string", "description": slot["description"]}
        if slot["is_categorical"]:
            used = sorted({arguments[name] for arguments in calls if name in arguments})
            properties[name]["enum"] = list(dict.fromkeys([*slot["possible_values"], *used]))
    required = [name for name in intent["required_slots"] if all(name in arguments for arguments in calls)]
    return {
        "name": intent["name"],
        "description": intent["description"],
        "parameters": {"type": "object", "properties": properties, "required": required},
    }


def _split(service: str, traces: Sequence[Trace]) -> tuple[list[Trace], list[Trace]]:
    """Return (test, traces), shuffled once."""
    if len(traces) < 2:
        raise UsageError(f"{service} has {len(traces)} dialogue; a task needs two, one to learn from and one to test")
    shuffled = list(traces)
    random.Random(f"{SEED}:{service}").shuffle(shuffled)  # noqa: S311 - a reproducible stream, not a secret
    held_out = min(TEST_MOST, max(1, round(len(traces) * TEST_SHARE)))
    return shuffled[:held_out], shuffled[held_out:]


def _counterparts(foreign: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, str]:
    """Return the own tool whose name each foreign one gets: transactional for transactional, in schema order."""
    names: dict[str, str] = {}
    for kind in (False, True):
        same = [intent["name"] for intent in own["intents"] if intent["is_transactional"] is kind]
        candidates = same or [intent["name"] for intent in own["intents"]]
        others = [intent["name"] for intent in foreign["intents"] if intent["is_transactional"] is kind]
        names |= {name: candidates[place % len(candidates)] for place, name in enumerate(others)}
    return names


def _write(
    folder: Path, task: Task, traces: Sequence[Trace], test: Sequence[Trace], clean: Sequence[Mapping[str, Any]]
) -> None:
    write_json(folder / TASK, dump_task(task))
    write_atomic(folder / TRACES, (dump_trace(trace.conversation, null_content=True, pandas=False) for trace in traces))
    write_atomic(folder / TEST, (dump_row(trace.conversation) for trace in test))
    write_jsonl(folder / CLEAN, clean)


def dump_truth(damaged: Damaged) -> dict[str, Any]:
    """Return the row of a damaged trace in a `clean.jsonl`: what it should be, and what was done to it."""
    changes = [{"position": one.position, "kind": one.kind, "call_id": one.call_id} for one in damaged.changes]
    return dump_conversation(damaged.clean.conversation) | {"belongs": damaged.belongs, "corruptions": changes}


def _counts(damaged: Sequence[Damaged]) -> dict[str, int]:
    return {
        "traces": len(damaged),
        "changed_calls": sum(len(one.changes) for one in damaged),
        "foreign": sum(not one.belongs for one in damaged),
    }
