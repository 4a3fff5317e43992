"""What models are sent, through `tft evaluate`: one system message, nothing left out, and the same day to the end."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.data.records import TurnPair
from harness.data.sample import sample_task
from harness.evaluation.report_json import read_report
from harness.models.prompts import system_message
from support.sample_test_set import write_test_set

OLD = "You are the agent of the old service."
TURN = "<|im_start|>{{ m.role }}\n{{ m.content }}"
CALLS = "{% for c in m.tool_calls or [] %}(call {{ c.function.name }} {{ c.function.arguments | tojson }}){% endfor %}"
EARLY, LATE = "Etc/GMT+12", "Pacific/Kiritimati"
"""Time zones 26 hours apart: in one it is always another day than in the other."""

RECORDED = """
import json, sys
from pathlib import Path
from harness.data.records import Prediction
from harness.data.tasks import pull_test_set
from harness.evaluation.run_folder import open_run
from harness.hub.connect import connected
from harness.models.backends._prepare import prepare
from harness.models.backends._base import EvaluateConfig
from harness.models.names import ModelName
from harness.models.parsing import canonical
from harness.stages._prompt_date import use_day
from harness.stages.evaluate import lineage_of
with connected(None) as hub:
    for model in sys.argv[1:]:
        name, test_set = ModelName.parse(model), pull_test_set(hub, "ada/sample")
        subject = prepare(name, hub, test_set, EvaluateConfig())
        use_day(subject, lineage_of(name, subject, test_set), [], None)
        run = open_run(Path(model.partition("/")[2]), lineage_of(name, subject, test_set), resume=False)
        for pair in test_set.pairs:
            run.log.append(Prediction(pair_id=pair.id, raw=canonical(pair.reference)))
        run.log.close()
"""
"""Writes the folder of a run that has every answer: `--resume` makes its prompts, and needs no engine."""


def template(turn: str = TURN, calls: str = CALLS, head: str = "") -> str:
    """A chat template in a notation of its own, which no family of readings knows."""
    return (
        f"{head}{{% if tools %}}Tools: {{{{ tools | tojson }}}}\n{{% endif %}}"
        f"{{% for m in messages %}}{turn}{calls}<|im_end|>\n{{% endfor %}}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )


@pytest.fixture
def recorded(terminal: Any, put: Callable[..., str], student: Path) -> Callable[..., None]:
    """Make a model with each chat template, and a run with all answers in a folder of its name."""
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("needs vLLM installed, and starts none")

    def record(templates: dict[str, str], **environment: str) -> None:
        files = {path.name: path for path in student.iterdir() if path.name != "chat_template.jinja"}
        models = [put(name, {**files, "chat_template.jinja": text}) for name, text in templates.items()]
        subprocess.run(
            [sys.executable, "-c", RECORDED, *models],
            env={**terminal.environment, **environment},
            cwd=terminal.folder,
            check=True,
            capture_output=True,
        )

    return record


def again(model: str, *arguments: str) -> list[str]:
    return ["evaluate", f"ada/{model}", "--dataset", "ada/sample", "--no-push", "--out", model, "--resume", *arguments]


def test_an_endpoint_is_sent_the_tasks_system_message_in_the_place_of_the_traces_own(
    terminal: Any, endpoint: Any, put: Callable[..., str], tmp_path: Path
) -> None:
    write_test_set(tmp_path / "set", 2)
    path = tmp_path / "set" / "data" / "conversations" / "test.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    own = {"role": "system", "content": OLD, "tool_calls": None, "tool_call_id": None}
    for row in rows:
        row["messages"].insert(0, own)
        row["messages"].insert(3, own)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = {
        one.relative_to(tmp_path / "set").as_posix(): one for one in (tmp_path / "set").rglob("*") if one.is_file()
    }
    put("old-system", files, kind="dataset")
    done = terminal(
        *("evaluate", "openai:counting-model", "--base-url", endpoint.url, "--dataset", "ada/old-system"),
        *("--no-push", "--out", "run", "--judge", "rules:judge", "--markdown", "comment.md"),
    ).worked()
    for request in endpoint.requests:
        said = [message["content"] for message in request["messages"] if message["role"] in ("system", "developer")]
        assert said == [system_message(sample_task())]
        assert request["messages"][0]["role"] == "system"
        assert OLD not in json.dumps(request)
    sentence = "In 2 conversations the task's system message took the place of the conversation's own."
    assert sentence in done.out
    assert sentence in (tmp_path / "comment.md").read_text()
    assert read_report(tmp_path / "run" / "report.json").run.config["system_messages_replaced"] == 2


def test_the_form_that_a_template_needs_is_taken_recorded_and_shown(
    recorded: Callable[..., None], terminal: Any, test_set: list[TurnPair], tmp_path: Path
) -> None:
    parts = "<|im_start|>{{ m.role }}\n{% for p in m.content %}{{ p.text }}{% endfor %}"
    null = f"{{% if m.content is none %}}{CALLS}{{% else %}}{TURN}{{% endif %}}"
    ids = "{% for c in m.tool_calls or [] %}{{ raise_exception('nine') if c.id | length != 9 }}{% endfor %}"
    text = "{% for c in m.tool_calls or [] %}{{ '(call ' + c.function.name + c.function.arguments + ')' }}{% endfor %}"
    expected: dict[str, tuple[str, str | None]] = {
        "native": (template(), None),
        "parts": (template(turn=parts), "content_parts"),
        "null": (template(turn=null, calls=""), "null_content"),
        "ids": (template(calls=ids + CALLS), "short_ids"),
        "text": (template(calls=text), "text_arguments"),
    }
    recorded({name: made for name, (made, _) in expected.items()})
    done = terminal.run_all([again(name) for name in expected])
    for (name, (_, form)), one in zip(expected.items(), done, strict=True):
        config = read_report(tmp_path / name / "report.json").run.config
        known = {key for key in config if key in {made for _, made in expected.values()}}
        assert (one.worked().status, known) == (0, {form} - {None})
        assert config["tools_in_template"]
        assert ("prompts have" in one.out) == (form is not None)
    card = terminal("card", "ada/parts", "--report", "parts/report.json").worked().out
    assert "prompts have content as a list of parts." in card


def test_a_template_that_shows_nothing_of_a_kind_in_any_form_is_refused_with_what_it_drops(
    recorded: Callable[..., None], terminal: Any
) -> None:
    cut = TURN.replace("m.content", "m.content[:40]")
    last = template().replace("in messages", "in messages[-1:]")
    nothing = template(calls="{% if loop.first %}{% endif %}").replace("for m in messages", "for m in messages[1:]")
    middle = TURN.replace("m.content", "(m.content[:99] ~ m.content[-99:])")
    html = TURN.replace("m.content", "m.content | e")
    made = {"cut": template(turn=cut), "last": last, "first-missing": nothing}
    made |= {"middle": template(turn=middle), "html": template(turn=html)}
    recorded(made)
    for name, words, one in zip(
        made,
        (*["texts of the user"] * 2, "names of called tools", "texts of the user", "as < and é in texts of the user"),
        terminal.run_all([again(name) for name in made]),
        strict=True,
    ):
        one.refused(f"the chat template of ada/{name} leaves out or changes", words, "chat_template.jinja")


def test_answers_to_other_prompts_are_not_taken_for_answers_to_these(
    recorded: Callable[..., None], terminal: Any, tmp_path: Path
) -> None:
    recorded({"changed": template()})
    log = tmp_path / "changed" / "answers.jsonl"
    first, *others = [json.loads(line) for line in log.read_text().splitlines()]
    log.write_text("".join(json.dumps(row) + "\n" for row in [{**first, "prompt_sha256": "0" * 64}, *others]))
    terminal(*again("changed")).refused(f"1 of {1 + len(others)} answers", "other prompts", "--out")


def test_a_run_that_is_resumed_on_another_day_sends_the_prompts_of_its_first(
    recorded: Callable[..., None], terminal: Any, tmp_path: Path
) -> None:
    """And what asks for no date knows none; another run has another fingerprint; `--date` chooses the day."""
    head = "{% set today = strftime_now('%d %b %Y') %}Today: {{ today }}\n"
    recorded({"dated": template(head=head), "undated": template()}, TZ=LATE)
    first = json.loads((tmp_path / "dated" / "lineage.json").read_text())
    assert "date" not in json.loads((tmp_path / "undated" / "lineage.json").read_text())["config"]
    seen = []
    for zone in (LATE, EARLY):
        done = terminal(*again("dated"), TZ=zone).worked()
        assert f"prompts say {first['config']['date']}" in done.err
        assert f"prompts say {first['config']['date']}" in done.out
        seen.append(read_report(tmp_path / "dated" / "report.json").run.prompt_sha256)
    assert seen[0] == seen[1]
    assert json.loads((tmp_path / "dated" / "lineage.json").read_text()) == first
    other = (date.fromisoformat(first["config"]["date"]) - timedelta(days=1)).isoformat()
    refused, same, vain, wrong = terminal.run_all(
        [
            again("dated", "--date", other),
            again("dated", "--date", first["config"]["date"]),
            again("undated", "--date", other),
            again("dated", "--date", "31.1.2026"),
        ]
    )
    refused.refused("another run", f"date was '{first['config']['date']}', now '{other}'")
    assert read_report(tmp_path / "dated" / "report.json").run.prompt_sha256 == seen[0]
    same.worked()
    assert "changes nothing" in vain.worked().err
    wrong.refused("YYYY-MM-DD")
    usual = tmp_path / "runs" / f"ada--dated-{first['fingerprint']}"
    usual.parent.mkdir()
    (tmp_path / "dated").rename(usual)
    terminal("evaluate", "ada/dated", "--dataset", "ada/sample", "--no-push", "--resume", TZ=EARLY).worked()
    assert list(usual.parent.iterdir()) == [usual]
