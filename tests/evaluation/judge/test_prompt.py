"""The judge's prompt: constants first, and no text of others can leave its line."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.formats.messages import expand_pairs
from harness.data.formats.published import read_test_conversations
from harness.data.records import Case, Message, Task, ToolCall
from harness.evaluation.judge.prompt import MAX_CHARACTERS, JudgePrompt, parse_verdict
from harness.models.parsing import families
from harness.models.parsing.strip_thinking import END_TOKENS, THINKING
from support.judge_prompts import Cut, read_back

HERE = Path(__file__).parent

TOKENS = sorted(
    {
        *(HERE.parents[1] / "models" / "parsing" / "special_tokens.txt").read_text(encoding="utf-8").split("\n"),
        *(mark for family in families().values() for mark in family.markers if set(mark) & set("<>[]")),
        *(mark for pair in THINKING for mark in pair),
        *END_TOKENS,
        *["<s>", "</s>", "<bos>", "<unk>", "<pad>", "<<SYS>>", "<</SYS>>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]"],
        *[
            "<start_of_turn>",
            "<|start_header_id|>",
            "<|begin_of_text|>",
            "<|fim_middle|>",
            "<｜User｜>",
            "<|endofprompt|>",
        ],
        *["[gMASK]", "<sop>", "[|system|]", "[|endofturn|]", "]~b]", "]~!b[", "[e~[", "[IMG]", "<unused7>", "<image>"],
        *[
            "[UNUSED_TOKEN_146]",
            "<eoh>",
            "<reserved_106>",
            "[AVAILABLE_TOOLS]",
            "[TOOL_RESULTS]",
            "\ue200",
            "<|separator|>",
        ],
    }
    - {"", "```json"}
)
BITS = [
    *TOKENS,
    *["\n", "\r", "\u2028", "\x85", '"', "\\", "\\u003c", "\\n", "{", "}", "[", "]", "null", '"x"', "{}", '{"a": 1}'],
    *['[{"a": "<"}]', '{"a": "\\u00e9"}', '{"a": 1, "a": 2}', "[NaN]", "1. user: ", "# REFERENCE\n\ncall: {}"],
    *["\n\n# QUESTION\n\n", '" (here 7 characters were left out) "', "{{ x }}", "\u202e", "\U000e0041", "\ud800", "é"],
]
TEXTS = st.lists(st.sampled_from(BITS) | st.text(max_size=6), max_size=6).map("".join)
VALUES = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
CALLS = st.builds(ToolCall, name=TEXTS, arguments=st.dictionaries(TEXTS, VALUES, max_size=3))
MESSAGES = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=st.none() | TEXTS | VALUES.map(json.dumps),
    tool_calls=st.lists(CALLS, max_size=2).map(tuple),
)
CASES = st.builds(
    Case,
    id=st.just("c:0"),
    conversation=st.just("c"),
    prefix=st.lists(MESSAGES, max_size=4).map(tuple),
    reference=CALLS,
    prediction=TEXTS,
    call=st.none() | CALLS,
)
PLAIN = JudgePrompt(None)


def case(prediction: str = "hello", *messages: str, call: ToolCall | None = None) -> Case:
    prefix = tuple(Message(role="user", content=text) for text in messages)
    reference = ToolCall(name="respond_to_user", arguments={"message": "Welcome."})
    return Case(id="c:0", conversation="c", prefix=prefix, reference=reference, prediction=prediction, call=call)


def joined(value: Any) -> Any:
    """The value with pairs of lone surrogates as the character that they are in JSON."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    if isinstance(value, list):
        return [joined(item) for item in value]
    return {joined(key): joined(item) for key, item in value.items()} if isinstance(value, dict) else value


def says(value: Any, text: str | None) -> bool:
    """Whether the value in a prompt says exactly what the text does."""
    if isinstance(value, Cut):
        text = joined(text)
        return text.startswith(value.head) and text.endswith(value.tail) and value.left_out > 0
    if isinstance(value, dict | list):
        return bool(json.loads(text or "") == value)
    return bool(value == joined(text))


def expected_lines(prefix: tuple[Message, ...]) -> list[tuple[int, str, Any]]:
    """(number, role or `call`, text or value) of every line that a conversation should have."""
    lines: list[tuple[int, str, Any]] = []
    for number, message in enumerate(prefix, start=1):
        if message.content is not None or not message.tool_calls:
            lines.append((number, message.role, message.content))
        for call in message.tool_calls:
            lines.append((number, "call", {"name": call.name, "parameters": call.arguments}))
    return lines


@given(CASES)
@settings(max_examples=150, deadline=None)
def test_any_case_reads_back_from_its_prompt(case: Case) -> None:
    """Every text of others is recovered, in its place, from exactly one conversation, reference and prediction."""
    found = read_back(PLAIN.messages(case)[1]["content"])
    speakers = {
        "tool result": "tool",
        "tool result, given as a user message": "user",
        "assistant calls": "call",
    }
    lines = [(number, speakers.get(speaker, speaker), value) for number, speaker, value in found.lines]
    expected = expected_lines(case.prefix)
    assert [line[:2] for line in lines] == [line[:2] for line in expected]
    for (_, kind, value), (_, _, wanted) in zip(lines, expected, strict=True):
        assert value == joined(wanted) if kind == "call" else says(value, wanted)
    assert found.reference == joined({"name": case.reference.name, "parameters": case.reference.arguments})
    assert found.has_call == (case.call is not None)
    if case.call is None:
        assert says(found.prediction, case.prediction)
    else:
        assert found.prediction == joined({"name": case.call.name, "parameters": case.call.arguments})


@given(CASES)
@settings(max_examples=100, deadline=None)
def test_no_character_of_a_control_token_or_that_does_not_show_reaches_a_case(case: Case) -> None:
    user = PLAIN.messages(case)[1]["content"]
    assert not set(user) & set("<>｜＜＞［］◁▷\u3164\u2800\ufe0f")
    assert not [c for c in user if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")]
    user.encode("utf-8")


def test_no_control_token_of_a_known_family_survives() -> None:
    """Wherever it stands: in messages, names, arguments, tools, even in the rubric."""
    assert len(TOKENS) > 100
    for token in TOKENS:
        call = ToolCall(name=f"a{token}", arguments={token: [token, {token: f"x{token}y"}]})
        messages = (
            Message(role="user", content=f"before {token} after"),
            Message(role="assistant", content=token, tool_calls=(call,)),
            Message(role="tool", content=json.dumps([{token: token}])),
        )
        hostile = Case(id="c:0", conversation="c", prefix=messages, reference=call, prediction=token, call=None)
        tool = {"type": "function", "function": {"name": token, "description": token}}
        prompt = JudgePrompt(Task(description=token, tools=(tool,), rubric=f"Good is what says {token}."))
        for message in prompt.messages(hostile):
            assert token not in message["content"]


def test_texts_are_cut_in_the_middle_and_the_prompt_says_so() -> None:
    numbers = f"[{'1,' * 3000}1]"
    assert read_back(PLAIN.messages(case(numbers))[1]["content"]).prediction == numbers, "fits as text, not as a value"
    for text in (
        "x" * 100_000,
        "<" * 100_000,
        "\U000e0041" * 50_000,
        "é\n" * 9000,
        "x" * 9000 + "<" * 2000,
        json.dumps(["y" * 20_000]),
    ):
        user = PLAIN.messages(case(text, text))[1]["content"]
        found = read_back(user)
        for value in (found.lines[0][2], found.prediction):
            assert says(value, text)
            assert value.head + value.tail != text
            assert len(value.head) + value.left_out + len(value.tail) == len(text)
        assert len(user) < 2 * MAX_CHARACTERS + 1000
        assert user == PLAIN.messages(case(text, text))[1]["content"]


def test_calls_are_bounded_too_whatever_they_are_made_of() -> None:
    calls = [
        ToolCall(name="a" * 50_000, arguments={}),
        ToolCall(name="a", arguments={"x" * 50_000: 1}),
        ToolCall(name="a", arguments={"x": [[1]] * 20_000}),
        ToolCall(name="a", arguments={str(number): "<" for number in range(20_000)}),
    ]
    for call in calls:
        user = PLAIN.messages(case(call=call))[1]["content"]
        assert isinstance(read_back(user).prediction, Cut)
        assert len(user) < MAX_CHARACTERS + 1000


@pytest.mark.parametrize("length", range(MAX_CHARACTERS - 6, MAX_CHARACTERS + 4))
def test_nothing_is_lost_or_doubled_around_the_limit(length: int) -> None:
    text = "".join(chr(ord("a") + position % 26) for position in range(length))
    value = read_back(PLAIN.messages(case(text))[1]["content"]).prediction
    assert says(value, text)
    assert isinstance(value, Cut) == (length + 2 > MAX_CHARACTERS)


def test_json_is_shown_as_its_value_where_that_says_all_of_it() -> None:
    spelled = '{"b": [1, true, null], "a": "é"}'
    for text in (spelled, '{"b":[1,true,null],"a":"é"}', json.dumps(json.loads(spelled), indent=2)):
        assert read_back(PLAIN.messages(case(text))[1]["content"]).prediction == json.loads(spelled)
    for text in ('{"a": 1, "a": 2}', "[NaN]", "[1e999]", '"x"', "null", "[" * 5000, "[1] and more", "[1,]", "{" * 9):
        user = PLAIN.messages(case(text))[1]["content"]
        assert says(read_back(user).prediction, text)
        assert '\n\ntext, in which no call could be found: "' in user


def test_a_later_turn_of_a_conversation_begins_with_an_earlier_one(sources: Path, published_task: Task) -> None:
    """Over all pairs of the test set; so an engine's prefix cache serves all but the new lines. No text is cut."""
    prompt = JudgePrompt(published_task)
    pairs = expand_pairs(read_test_conversations(sources / "tft-benchmark" / "test.jsonl"))
    assert len(pairs) == 359
    systems, earlier = set(), {}
    for pair in pairs:
        built = Case(
            id=pair.id,
            conversation=pair.conversation,
            prefix=pair.prefix,
            reference=pair.reference,
            prediction="",
            call=pair.reference,
        )
        system, user = (message["content"] for message in prompt.messages(built))
        systems.add(system)
        shown = user[: user.index("\n# REFERENCE")]
        assert shown.startswith(earlier.get(pair.conversation, ""))
        earlier[pair.conversation] = shown
        assert "were left out" not in user
        assert "\\u" not in user, "ordinary text stands as it is"
        assert "tool result" not in user or "assistant calls" in user
    assert len(systems) == 1


def test_tool_results_are_told_from_what_users_write() -> None:
    call = Message(role="assistant", tool_calls=(ToolCall(name="Find", arguments={}),))
    result = '[{"city": "Albany"}]'
    prefix = (
        Message(role="user", content=result),
        call,
        Message(role="user", content=result),
        call,
        Message(role="user", content="Thanks [all]"),
        call,
        Message(role="tool", content="none"),
    )
    asked = Case(id="c:0", conversation="c", prefix=prefix, reference=call.tool_calls[0], prediction="", call=None)
    speakers = [speaker for _, speaker, _ in read_back(PLAIN.messages(asked)[1]["content"]).lines]
    as_user = "tool result, given as a user message"
    assert speakers == ["user", "assistant calls", as_user, "assistant calls", "user", "assistant calls", "tool result"]


def test_the_rubric_is_the_tasks_and_ours_where_it_has_none() -> None:
    tools = ({"type": "function", "function": {"name": "Find"}},)
    rubric = "Good is {{ what }} rhymes.\r\nBad\tis the rest: 1 & 2."
    own = JudgePrompt(Task(description="d", tools=tools, rubric=rubric))
    without = JudgePrompt(Task(description="d", tools=tools, rubric="  \n"))
    assert (own.rubric_source, without.rubric_source, PLAIN.rubric_source) == ("task", "default", "default")
    system = own.messages(case())[0]["content"]
    assert "\nGood is {{ what }} rhymes.\nBad\tis the rest: 1 & 2.\n" in system
    assert json.dumps(tools[0]) in system
    assert "# TOOLS" not in PLAIN.messages(case())[0]["content"]
    assert "names another person" in without.messages(case())[0]["content"]


def test_the_hash_changes_with_rubric_and_tools_and_with_nothing_else() -> None:
    def hash_of(**changes: Any) -> str:
        return JudgePrompt(Task(**{"description": "d", "tools": (), "rubric": "r", **changes})).sha256

    assert hash_of() == hash_of(description="other", system_template="{task_description}")
    assert len({hash_of(), hash_of(rubric="s"), hash_of(tools=({"name": "a"},)), PLAIN.sha256}) == 4


def test_a_verdict_in_the_schemas_form_can_be_read() -> None:
    """The example that the system message shows has this form too, but a judge that repeats it has not judged."""
    properties = PLAIN.schema["properties"]
    assert list(properties) == PLAIN.schema["required"] == ["reason", "verdict"]
    for verdict in properties["verdict"]["enum"]:
        parse_verdict(json.dumps({"reason": "x", "verdict": verdict}))
    example = next(line for line in PLAIN.messages(case())[0]["content"].splitlines() if line.startswith('{"reason"'))
    with pytest.raises(ValueError, match="repeats the example"):
        parse_verdict(example)
    assert parse_verdict(json.dumps({**json.loads(example), "reason": "x"}))[0] == 1.0
