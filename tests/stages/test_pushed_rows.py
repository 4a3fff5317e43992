"""Pushed conversations are loaded from a Hub as they were logged, and TRL trains on them with no map function."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
import yaml

import support.tft
from harness.data.formats.jsonl import write_json, write_jsonl
from harness.data.formats.messages import dump_conversation
from harness.data.formats.published import dump_row
from harness.data.formats.reading_notes import ADVICE, SEVERAL_CALLS
from harness.data.formats.stage_rows import as_json, dump_dataset_row
from harness.data.formats.task import dump_task
from harness.data.formats.training_rows import sharegpt_row
from harness.data.records import Conversation, Message, ToolCall
from harness.data.sample import sample_conversations, sample_task
from harness.data.traces.read import read_traces
from harness.hubd.embedded import running
from harness.stages import job_traces
from harness.stages._result import OutputTarget

if TYPE_CHECKING:
    from harness.hub.client import Hub

ARGUMENTS: list[dict[str, Any]] = [
    {},
    {"a": None, "b": "", "c": [], "d": {}},
    {"a": 1, "b": [1, "x", None, {"y": 2.5}], "c": {"d": {"e": [[]]}}},
    {"a": "text", "b": True, "caf\u00e9 \u2028 / \\": "\u65e5\u672c \U0001f600 \x00\n</tool_call>"},
    {"a": ["1"], "5": {"a": '{"a": 1}'}, "b": -0.5, "c": 1e300, "d": (1 << 63) - 1},
    {"a": 1e-12, "b": 40.7128123456789},
]
"""Of calls whose members have other types in every row; each is loaded as the same object."""
LARGE = {"a": 1 << 70}


def _conversation(number: int, arguments: dict[str, Any]) -> Conversation:
    call = ToolCall(name="act", arguments=arguments, id=f"call-{number}")
    messages = (
        Message(role="user", content="Do it."),
        Message(role="assistant", tool_calls=(call,)),
        Message(role="tool", content="[]", tool_call_id=call.id),
        Message(role="assistant", content="Done."),
    )
    return Conversation(id=f"odd-{number}", messages=messages, source="written here")


ODD = [_conversation(number, arguments) for number, arguments in enumerate([*ARGUMENTS, LARGE])]


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment of a Hub with the datasets of a job: `local/sample-traces`, `local/odd-traces`, their test sets."""
    folder = tmp_path_factory.mktemp("pushed")
    for name, traces in (("sample", sample_conversations(6)), ("odd", ODD)):
        write_json(folder / name / "job_description.json", dump_task(sample_task()))
        write_jsonl(folder / name / "traces.jsonl", map(dump_conversation, traces))
        (folder / name / "test.jsonl").write_text("".join(map(dump_row, sample_conversations(2, seed=9))))
    with running(folder / "hub") as hub:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TFT_"))}
        environment |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "HF_HOME": str(folder / "home")}
        for name in ("sample", "odd"):
            support.tft.run(["data", "job", name, "--folder", name], environment=environment, folder=folder).worked()
        yield environment


def _run(script: str, environment: dict[str, str], *arguments: str | Path) -> Any:
    """Run a script that prints JSON in a process of its own: libraries read the Hub's address when imported."""
    command = [sys.executable, "-W", "error::FutureWarning", "-c", script, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


LOAD = """
import json, sys
from datasets import load_dataset
whole = load_dataset("local/odd-traces", split="train")
streamed = list(load_dataset("local/odd-traces", split="train", streaming=True))
whole.push_to_hub("local/again", private=True)
again = load_dataset("local/again", split="train")
again.to_parquet(sys.argv[1])
tests = {name: load_dataset("local/odd-testset", name, split="test")[0] for name in ("conversations", "pairs")}
assert again.features == whole.features
print(json.dumps([list(whole), streamed, list(again), tests, str(whole.features)]))
"""


def test_arguments_and_tools_are_loaded_as_the_objects_they_were(pushed: dict[str, str], tmp_path: Path) -> None:
    whole, streamed, again, tests, features = _run(LOAD, pushed, tmp_path / "again.parquet")
    assert whole == streamed == again
    calls = [row["messages"][1]["tool_calls"][0]["function"]["arguments"] for row in whole]
    assert calls == [*ARGUMENTS, json.dumps(LARGE)]  # `datasets` has no larger integers: the text of the object
    tools = [dict(tool) for tool in sample_task().tools]
    assert all(row["tools"] == tools for row in (*whole, tests["conversations"]))
    assert isinstance(tests["pairs"]["reference"]["arguments"], dict)
    assert features.count("List(Json(") == 2  # messages, arguments and all, and tools
    # What was pushed again is Parquet, in which such columns are texts: it is read back as the same conversations.
    assert [row.conversation.messages for row in read_traces(tmp_path / "again.parquet")] == [
        one.messages for one in ODD
    ]


def test_what_would_not_be_kept_exactly_is_written_as_text() -> None:
    calling = [dump_dataset_row(one, [])["messages"][1] for one in ODD]
    assert [type(one) for one in calling] == [dict] * 5 + [str, dict]
    assert calling[-1]["tool_calls"][0]["function"]["arguments"] == json.dumps(LARGE)
    assert as_json({"a": [{"b": float("inf")}]}) == '{"a": [{"b": Infinity}]}'


TEMPLATES = """
import json
from importlib.util import find_spec
from pathlib import Path
from datasets import load_dataset
from harness.data.formats.message_reader import read_messages
from harness.data.formats.messages import template_message
from transformers.utils.chat_template_utils import render_jinja_template

rows = load_dataset("local/odd-traces", split="train").select(range(2))
own = [[template_message(one) for one in read_messages(row["messages"], strict=True)] for row in rows]
def rendered(conversations, template):
    try:
        return render_jinja_template(conversations, tools=rows[0]["tools"], chat_template=template, bos_token="")[0]
    except Exception as error:
        return repr(error)
folder = Path(find_spec("trl").origin).parent / "chat_templates"
pairs = {
    path.stem: [rendered(one, path.read_text()) for one in ([row["messages"] for row in rows], own)]
    for path in folder.glob("*.jinja")
}
print(json.dumps(pairs))
"""


def test_chat_templates_take_pushed_messages_as_our_own(pushed: dict[str, str]) -> None:
    """Some stop, or write another prompt, at a null content or at `tool_calls` that are there and null."""
    pairs = _run(TEMPLATES, pushed)
    assert [name for name, (theirs, ours) in pairs.items() if theirs != ours] == []
    assert {"llama3_1", "gptoss", "qwen3_vl"} <= {name for name, (theirs, _) in pairs.items() if len(theirs) == 2}


def test_what_was_changed_in_reading_traces_is_counted_on_the_card(tmp_path: Path) -> None:
    calls = tuple(ToolCall(name="act", arguments={"n": n}, id=f"c{n}") for n in range(2))
    results = [Message(role="tool", content="[]", tool_call_id=call.id) for call in calls]
    messages = (ODD[0].messages[0], Message(role="assistant", tool_calls=calls), *results, ODD[0].messages[-1])
    job = tmp_path / "job"
    write_json(job / "job_description.json", dump_task(sample_task()))
    write_jsonl(job / "traces.jsonl", [dump_conversation(replace(ODD[0], messages=messages))])
    place = OutputTarget(push=False, out=tmp_path / "out")
    counts = job_traces.run(job_traces.JobTracesRequest(job=job, place=place), cast("Hub", None)).counts
    words = ADVICE[SEVERAL_CALLS][0]
    assert counts == {"conversations": 1, "rows that could not be read": 0, words: 1}
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert f"| {words} | 1 |" in card
    # What is on no Hub is read by LLaMA-Factory as `tft export` writes it.
    (block,) = re.findall(r"```json\n(.*?)```", card, re.DOTALL)
    (described,) = json.loads(block).values()
    row = sharegpt_row(sample_conversations(1)[0], [], Counter())
    assert set(described["columns"].values()) <= row.keys()


def test_a_test_set_is_exported_with_its_tools(pushed: dict[str, str], tmp_path: Path) -> None:
    words = ("export", "local/sample-testset", "--format", "trl", "--out", "rows.jsonl")
    done = support.tft.run(words, environment=pushed, folder=tmp_path).worked()
    assert "is a test set: a model trained on it cannot be evaluated on it" in done.err
    rows = list(read_traces(tmp_path / "rows.jsonl"))
    assert [row.conversation.messages for row in rows] == [one.messages for one in sample_conversations(2, seed=9)]
    assert all(row.columns["tools"] == [dict(tool) for tool in sample_task().tools] for row in rows)


def test_the_card_says_how_others_train_on_it(pushed: dict[str, str]) -> None:
    """The block for LLaMA-Factory is JSON that names the repository and columns that are there."""
    address = f"{pushed['HF_ENDPOINT']}/datasets/local/sample-traces/raw/main/README.md"
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {pushed['HF_TOKEN']}"})
    with urllib.request.urlopen(request) as answer:
        card = answer.read().decode("utf-8")
    (block,) = re.findall(r"```json\n(.*?)```", card, re.DOTALL)
    described = json.loads(block)["sample-traces"]
    assert described["hf_hub_url"] == "local/sample-traces"
    columns = {one["name"] for one in yaml.safe_load(card.split("---\n")[1])["dataset_info"][0]["features"]}
    assert set(described["columns"].values()) <= columns


TRAIN = """
import json, sys
from datasets import load_dataset
from transformers import AutoTokenizer
from trl import SFTConfig, SFTTrainer

rows = load_dataset("local/sample-traces", split="train")
exported = load_dataset("json", data_files=sys.argv[3], split="train")
settings = dict(
    output_dir=sys.argv[2], max_length=None, per_device_train_batch_size=1, gradient_accumulation_steps=1,
    use_cpu=True, bf16=False, gradient_checkpointing=False, report_to="none", save_strategy="no", disable_tqdm=True,
)
trainer = SFTTrainer(sys.argv[1], SFTConfig(max_steps=2, **settings), train_dataset=rows)
trainer.train()
losses = [entry["train_loss"] for entry in trainer.state.log_history if "train_loss" in entry]

from harness.data.formats.message_reader import read_messages
from harness.data.sample import sample_conversations, sample_task
from harness.models.prompts import Renderer
from harness.training.examples import make_examples
from harness.training.rendering import choose_rendering
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
renderer = Renderer(tokenizer, sample_task(), "student")
ours = [
    tokenizer(renderer.bare(read_messages(row["messages"], strict=True)), add_special_tokens=False)["input_ids"]
    for row in rows
]
conversations = sample_conversations(6)
rendering = choose_rendering(tokenizer, sample_task(), "student", conversations)
examples = make_examples(conversations, rendering, expand_turns=False, max_length=None)
again = SFTTrainer(sys.argv[1], SFTConfig(**settings), train_dataset=exported)
print(json.dumps({
    "losses": losses, "steps": trainer.state.global_step,
    "ours": ours, "theirs": list(trainer.train_dataset["input_ids"]),
    "trained": [one.input_ids for one in examples.items], "exported": list(again.train_dataset["input_ids"]),
}))
"""


@pytest.mark.slow
def test_trl_trains_on_a_repository_as_it_is(pushed: dict[str, str], student: Path, tmp_path: Path) -> None:
    """Its token ids are those of our own rendering, but for the task's system message, which is in no row.

    Where `tft export` writes that into the rows, they are those that `tft train` trains on.
    """
    words = (
        "export",
        "local/sample-traces",
        "--format",
        "trl",
        "--task",
        "local/sample-testset",
        "--out",
        "rows.jsonl",
    )
    support.tft.run(words, environment=pushed, folder=tmp_path).worked()
    found = _run(TRAIN, pushed, student, tmp_path / "out", tmp_path / "rows.jsonl")
    assert found["steps"] == 2
    assert found["losses"][0] > 0
    assert found["theirs"] == found["ours"]
    assert [theirs[: len(ours)] for ours, theirs in zip(found["trained"], found["exported"], strict=True)] == found[
        "trained"
    ]
    # What a template writes after the mark that ends the last turn is not trained on: a line end.
    assert {len(theirs) - len(ours) for ours, theirs in zip(found["trained"], found["exported"], strict=True)} <= {0, 1}
