"""Whatever form an endpoint gives its answers: each ends as what it is, an answer or the reason why there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.data.formats.jsonl import read_jsonl
from harness.models.chat.completions import parts_of
from harness.models.parsing import read

ARGUMENTS = {"city": "Albany", "cuisine": "Thai"}
WRITTEN = json.dumps(ARGUMENTS)
CALL = {"name": "FindRestaurants", "arguments": WRITTEN}
FULL = {"id": "c", "type": "function", "function": CALL}


def called(function: Any, **more: Any) -> dict[str, Any]:
    """Return a choice whose message has one call."""
    return {"finish_reason": "tool_calls", "message": {"content": None, "tool_calls": [{"function": function, **more}]}}


def arguments(sent: Any) -> dict[str, Any]:
    return called({"name": "FindRestaurants", "arguments": sent}, type="function")


def said(content: Any, finish_reason: Any = "stop", **more: Any) -> dict[str, Any]:
    return {"finish_reason": finish_reason, "message": {"role": "assistant", "content": content, **more}}


TEXT = {"type": "text", "text": "Hello there."}
THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "<tool_call>no</tool_call>"}]}

CALLS = {
    "no type": called(CALL),
    "type null": called(CALL, type=None),
    "an unknown type": called(CALL, type="tool"),
    "no function": {"message": {"content": None, "tool_calls": [CALL]}},
    "one call in no list": {"message": {"content": "", "tool_calls": FULL}},
    "null among the calls": {"message": {"tool_calls": [None, FULL]}},
    "an object": arguments(ARGUMENTS),
    "a trailing comma": arguments('{"city": "Albany", "cuisine": "Thai",}'),
    "single quotes": arguments("{'city': 'Albany', 'cuisine': 'Thai'}"),
    "encoded twice": arguments(json.dumps(WRITTEN)),
    "a code fence": arguments(f"```json\n{WRITTEN}\n```"),
    "a code fence and single quotes": arguments("```\n{'city': 'Albany', 'cuisine': 'Thai'}\n```"),
    "an older call": said(None, "function_call", function_call=CALL),
    "both spellings of one call": said(None, tool_calls=[FULL], function_call=CALL),
    "a call among the parts": said([TEXT, {"type": "tool_use", "id": "c", "name": CALL["name"], "input": ARGUMENTS}]),
    "a custom call": called({}, type="custom", custom={"name": CALL["name"], "input": WRITTEN}),
    "words and a call": said("I look.", "tool_calls", tool_calls=[FULL]),
    "a call in the text": said(
        [{"type": "text", "text": f"<tool_call>\n{json.dumps(CALL | {'arguments': ARGUMENTS})}"}]
    ),
}
"""Each is the call of ARGUMENTS."""
OTHER_CALLS = {
    "Python's words": (arguments("{'city': None, 'cuisine': 'Thai', 'x': True}"), {"city": None, "x": True}),
    "no arguments": (called({"name": "FindRestaurants"}), {}),
    "arguments null": (arguments(None), {}),
    "arguments empty": (arguments(" "), {}),
    "half a character": (arguments('{"city": "half \\ud83d"}'), {"city": "half \ufffd"}),
    "half a character in an object": (arguments({"half \ud83d": "x"}), {"half \ufffd": "x"}),
}
TEXTS = {
    "text": (said("Hello there."), "Hello there."),
    "half a character in a text": (said("half \ud83d"), "half \ufffd"),
    "nothing": (said(None), ""),
    "parts": (said([THINKING, TEXT, {"type": "text", "text": " And you?"}]), "Hello there. And you?"),
    "parts as texts": (said(["Hello ", {"text": "there."}]), "Hello there."),
    "thinking only": (said(None, reasoning_content="<tool_call>no</tool_call>"), ""),
    "a refusal": (said(None, refusal="I cannot do that."), "I cannot do that."),
    "a refusal among the parts": (said([{"type": "refusal", "refusal": "I cannot."}]), "I cannot."),
    "a picture beside words": (said([TEXT, {"type": "image_url", "image_url": {"url": "x"}}]), "Hello there."),
    "a cut text": (said("Hello th", "length"), "Hello th"),
    "a reason that is none": (said("Hello.", {"reason": 1}), "Hello."),
    "a text in place of the message": ({"text": "Hello.", "finish_reason": "stop"}, "Hello."),
}
REASONS = {
    "filtered": (said(None, "content_filter"), "held back by a content filter"),
    "filtered in the middle": (said("Hello th", "content_filter"), "held back by a content filter"),
    "cut inside its thinking": (
        said(None, "length", reasoning="Hm, the user"),
        "cut at the limit of tokens inside its",
    ),
    "cut before anything": (said("", "length"), "--max-tokens"),
    "a picture alone": (said([{"type": "image_url", "image_url": {"url": "x"}}]), "'image_url'"),
    "a number": (said(5), "a number"),
    "a call without a name": (called({"arguments": "{}"}), "a call without a name"),
    "a name that is none": (called({"name": 7, "arguments": "{}"}), "a call without a name"),
}
FORMS = CALLS | {name: choice for kind in (OTHER_CALLS, TEXTS, REASONS) for name, (choice, _) in kind.items()}


@pytest.fixture
def forms(terminal: Any, endpoint: Any) -> Any:
    """Evaluate a model that gives its answers these forms, one each; returns the rows by form."""

    def evaluate(names: list[str], folder: str) -> tuple[dict[str, dict[str, Any]], Any]:
        given: dict[str, str] = {}

        def fault(question: str, _: int) -> Any:
            name = given.setdefault(question, names[min(len(given), len(names) - 1)])
            return endpoint.fault(body=json.dumps({"object": "chat.completion", "choices": [FORMS[name]]}))

        endpoint.faults = fault
        asking = ["--base-url", endpoint.url, "--concurrency", "1", "--limit", str(len(names))]
        command = [
            "evaluate",
            "openai:counting-model",
            *asking,
            "--dataset",
            "ada/sample",
            "--no-push",
            "--out",
            folder,
        ]
        done = terminal(*command, TFT_EVALUATE_CACHE=f"{folder}-kept").worked()
        again = terminal(*command, "--resume", TFT_EVALUATE_CACHE=f"{folder}-again").worked()
        rows = [row for _, row in read_jsonl(terminal.folder / folder / "data" / "test.jsonl")]
        assert "Traceback" not in done.err + again.err
        return {given[row["prompt_sha256"]]: row for row in rows}, done

    return evaluate


def test_every_form_ends_as_an_answer_or_as_the_reason_why_there_is_none(forms: Any) -> None:
    """And the same folder can be gone on with."""
    names = list(FORMS)
    rows: dict[str, dict[str, Any]] = {}
    told = ""
    for place, start in enumerate(range(0, len(names), 22)):
        found, done = forms(names[start : start + 22], f"run-{place}")
        rows, told = rows | found, told + done.err
    assert "1 answers also had a part of type 'image_url', which is left out" in told
    assert rows.keys() == FORMS.keys()
    assert not [(name, rows[name]["error"]) for name in CALLS if rows[name]["error"]]
    for name in CALLS:
        call = read(rows[name]["raw"]).call
        assert call is not None, (name, rows[name]["raw"])
        assert (call.name, call.arguments) == ("FindRestaurants", ARGUMENTS), name
    for name, (_, expected) in OTHER_CALLS.items():
        call = read(rows[name]["raw"]).call
        assert call is not None, (name, rows[name]["raw"])
        assert {**call.arguments, **expected} == call.arguments, name
    for name, (_, text) in TEXTS.items():
        assert (rows[name]["raw"], rows[name]["error"]) == (text, None), name
    for name, (_, words) in REASONS.items():
        assert (rows[name]["raw"], rows[name]["staged_tool_call"]) == (None, None), name
        assert words in rows[name]["error"], rows[name]["error"]
    assert rows["a cut text"]["finish_reason"] == "length"
    assert rows["a reason that is none"]["finish_reason"] is None


def test_a_folder_with_answers_of_odd_forms_is_gone_on_with(forms: Any, terminal: Any, endpoint: Any) -> None:
    """Earlier versions kept lists of parts and half characters before they failed to write them."""
    forms(["text"] * 4, "run-0")
    log = terminal.folder / "run-0" / "answers.jsonl"
    answers = [json.loads(line) for line in log.read_text().splitlines()]
    answers[0]["raw"] = [THINKING, TEXT]
    answers[1]["raw"] = "half \ud83d"
    answers[2] |= {"raw": None, "error": "told \udc00"}
    answers[3]["finish_reason"] = ["stop"]
    log.write_text("".join(json.dumps(answer) + "\n" for answer in answers))
    rows = _resumed(terminal, endpoint)
    assert [row["raw"] for row in rows] == ["Hello there.", "half \ufffd", "Hello there.", "Hello there."]


def _resumed(terminal: Any, endpoint: Any) -> list[dict[str, Any]]:
    asking = ["--base-url", endpoint.url, "--concurrency", "1", "--limit", "4", "--resume"]
    command = ["evaluate", "openai:counting-model", *asking, "--dataset", "ada/sample", "--no-push", "--out", "run-0"]
    terminal(*command).worked()
    return [row for _, row in read_jsonl(terminal.folder / "run-0" / "data" / "test.jsonl")]


def test_replayed_and_scored_texts_may_hold_half_a_character(terminal: Any, replay: Any, test_set: Any) -> None:
    replay(
        lambda place, text: '<tool_call>{"name": "F", "arguments": {"a": "\ud83d' if place % 2 else "\udc00"
    ).worked()
    row = {"question": json.dumps([{"role": "user", "content": "half \ud83d"}]), "prediction": "half \ud83d"}
    row["answer"] = json.dumps({"name": "F", "parameters": {"a": "b"}})
    (terminal.folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    terminal("score", "rows.jsonl", "--out", "scored.jsonl").worked()
    terminal("judge", "rows.jsonl", "--judge", "rules:judge", "--out", "judged.jsonl").worked()
    [(_, judged)] = read_jsonl(terminal.folder / "judged.jsonl")
    assert judged["prediction"] == "half \ufffd"


@pytest.mark.parametrize(
    "content", [None, True, 1.5, [], {}, [[["x"]]], [[[[["deep"]]]]], [None, 3], {"text": {"value": "x"}}]
)
@pytest.mark.parametrize("key", ["content", "tool_calls", "function_call", "refusal", "reasoning"])
def test_any_value_in_any_place_of_a_message_is_taken_apart(key: str, content: Any) -> None:
    words = parts_of({key: content})
    assert isinstance(words.text, str)
    assert all(isinstance(call.name, str) and call.name for call in words.calls)
