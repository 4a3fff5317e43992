"""Prompts for chat templates that take less than tools, calls and a system role."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from harness.data.formats.messages import expand_pairs
from harness.data.records import Conversation, Message, ToolCall
from harness.data.sample import sample_conversations, sample_task
from harness.errors import ModelError
from harness.models.prompts import Calendar, Form, fitting_renderer, form_notes, load_tokenizer
from harness.training.rendering import choose_rendering

PAIRS = expand_pairs(sample_conversations(4))
TURNS = "{% for message in messages %}<{{ message.role }}>{{ message.content }}\n{% endfor %}"
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
ALTERNATE = (
    "{% set plain = messages | rejectattr('tool_calls', 'defined') | rejectattr('role', 'equalto', 'system') | list %}"
    "{% for message in plain %}{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}{{ tools }}"
)


@pytest.fixture
def tokenizer(student: Path) -> object:
    """A tokenizer of the test's own: tests give it other templates."""
    return load_tokenizer(student, "student")


def test_a_template_that_takes_everything_is_given_everything(tokenizer) -> None:
    renderer = fitting_renderer(tokenizer, sample_task(), "student", PAIRS)
    assert renderer.form == Form(tools_in_template=True, system_role=True)


@pytest.mark.parametrize(
    ("template", "form"),
    [
        (TURNS, Form(tools_in_template=False, system_role=True)),
        (NO_SYSTEM + TURNS, Form(tools_in_template=False, system_role=False)),
        (ALTERNATE + TURNS, Form(calls_in_template=False, system_role=True)),
    ],
    ids=["ignores tools", "refuses a system role", "wants alternating roles"],
)
def test_what_a_template_does_not_take_is_written_into_the_messages(tokenizer, template: str, form: Form) -> None:
    tokenizer.chat_template = template
    renderer = fitting_renderer(tokenizer, sample_task(), "student", PAIRS)
    assert renderer.form == form
    pair = next(pair for pair in PAIRS if pair.turn == 2)
    text = renderer.text(pair.prefix)
    assert sample_task().description in text
    for tool in sample_task().tools:
        shown = str(tool) if form.tools_in_template else json.dumps(tool, ensure_ascii=False)
        assert shown in text
    for message in pair.prefix:
        for call in message.tool_calls:
            assert json.dumps({"name": call.name, "parameters": call.arguments}, ensure_ascii=False) in text


RICH = Conversation(
    id="rich",
    source="test",
    messages=(
        Message(role="user", content="A table, please."),
        Message(
            role="assistant",
            tool_calls=(
                ToolCall(
                    name="FindRestaurants",
                    arguments={
                        "city": "Albany",
                        "people": 3,
                        "rate": 2.5,
                        "open": True,
                        "near": ["a"],
                        "at": {"h": "8"},
                    },
                    id="call_1",
                ),
            ),
        ),
        Message(role="tool", content='[{"name": "Sol"}]', tool_call_id="call_1"),
        Message(role="assistant", content="I found Sol."),
        Message(role="user", content="Book it."),
        Message(role="assistant", tool_calls=(ToolCall(name="Book", arguments={"name": "Sol"}, id="call_2"),)),
        Message(role="tool", content="booked", tool_call_id="call_2"),
        Message(role="assistant", content="It is booked."),
    ),
)
"""Everything that a conversation of a test set can have but text beside a call."""
CALL = "(call {{ c.function.name }} {{ c.function.arguments | tojson }})"


def written(content: str = "{{ m.content }}", call: str = CALL, loop: str = "messages", head: str = "") -> str:
    """A template that knows tools and calls."""
    return (
        f"{head}{{% if tools %}}Tools: {{{{ tools | tojson }}}}\n{{% endif %}}{{% for m in {loop} %}}"
        f"{{{{ '' }}}}<|im_start|>{{{{ m.role }}}}\n{content}"
        f"{{% for c in m.tool_calls or [] %}}{call}{{% endfor %}}<|im_end|>\n{{% endfor %}}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )


FIRST_ONLY = (
    "{% for m in messages %}{% if m.role == 'system' and not loop.first %}"
    "{{ raise_exception('the system message must be at the beginning') }}{% endif %}{% endfor %}"
)
TAKES_TURNS = (
    "{% set ns = namespace(users=0) %}{% for m in messages if m.role != 'system' %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}"
)
NINE = "{% if c.id | length != 9 %}{{ raise_exception('ids have nine characters') }}{% endif %}"
NINE_RESULT = "{% if m.role == 'tool' and m.tool_call_id | length != 9 %}{{ raise_exception('nine') }}{% endif %}"
ITEMS = "(call {{ c.function.name }}{% for k, v in c.function.arguments.items() %} {{ k }}={{ v }}{% endfor %})"
STRINGS = ITEMS.replace("items() %}", "items() if v is string %}")
AS_TEXT = {"tools_in_template": False}
CALLS_AS_TEXT = {"calls_in_template": False}
FORMS: dict[str, tuple[str, dict[str, bool]]] = {
    "takes everything": (written(), {}),
    "one system message, first": (written(head=FIRST_ONLY), {}),
    "values in a notation of its own": (written(call=ITEMS), {}),
    "trims": (written(content="{{ m.content | trim }}"), {}),
    "parts": (written(content="{% for p in m.content %}{{ p.text }}{% endfor %}"), {"content_parts": True}),
    "first part": (written(content="{{ m.content[0]['text'] }}"), {"content_parts": True}),
    "calls where content is null": (
        written(content="{{ m.content or '' }}", call=f"{{% if m.content is none %}}{CALL}{{% endif %}}"),
        {"null_content": True},
    ),
    "arguments as text": (
        written(call="{{ '(call ' + c.function.name + ' ' + c.function.arguments + ')' }}"),
        {"text_arguments": True},
    ),
    "arguments as text where content is null": (
        written(
            content="{{ m.content or '' }}",
            call="{% if m.content is none %}{{ c.function.name + c.function.arguments }}{% endif %}",
        ),
        {"null_content": True, "text_arguments": True},
    ),
    "ids of nine": (written(call=NINE + CALL), {"short_ids": True}),
    "ids of nine in results": (written(content=NINE_RESULT + "{{ m.content }}"), {"short_ids": True}),
    "calls without function": (written(call="(call {{ c.name }} {{ c.arguments | tojson }})"), {"flat_calls": True}),
    "tools as text": (written(head="{% for t in tools or [] %}{{ 'Tool: ' + t }}{% endfor %}"), AS_TEXT),
    "names of tools only": (
        written().replace("tools | tojson", "tools | map(attribute='function.name') | list"),
        AS_TEXT,
    ),
    "names of calls only": (written(call="(call {{ c.function.name }})"), CALLS_AS_TEXT),
    "no calls": (written(call="x"), CALLS_AS_TEXT),
    "no calls, and a system message below tools only": (
        written(content="{{ m.content if m.role != 'system' or tools }}", call=""),
        CALLS_AS_TEXT,
    ),
    "text values only": (written(call=STRINGS), CALLS_AS_TEXT),
    "no results": (written(loop="messages if m.role != 'tool'"), AS_TEXT),
    "roles in turn": (written(head=TAKES_TURNS), AS_TEXT),
    "no system message": (written(loop="messages if m.role != 'system'"), {"system_role": False}),
}
"""What a template takes -> the template, and what is not native in the form for it."""
REFUSED: dict[str, tuple[str, str]] = {
    "the last message only": (written(loop="messages[-1:]"), "the system message, texts of the user"),
    "the last messages only": (written(loop="messages[-3:]"), "the system message, texts of the user"),
    "capitals": (written(content="{{ m.content | upper }}"), "the system message, texts of the user"),
    "short texts": (written(content="{{ m.content[:60] }}"), "the system message, texts of the user"),
    "shortened texts": (written(content="{{ m.content | truncate(80) }}"), "the system message, texts of the user"),
    "no texts of the assistant": (
        written(content="{{ m.content if m.role != 'assistant' }}"),
        r"texts of the assistant; and .*\(with tools and calls as text\)",
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_least_changed_form_that_leaves_nothing_out_is_taken_in_evaluation_and_in_training(tokenizer, name) -> None:
    template, changed = FORMS[name]
    tokenizer.chat_template = template
    pairs = expand_pairs([RICH])
    renderer = fitting_renderer(tokenizer, sample_task(), "student", pairs)
    assert renderer.form == Form(**changed)
    assert choose_rendering(tokenizer, sample_task(), "student", [RICH]).form == renderer.form
    text = renderer.text(RICH.messages)
    for word in ("A table, please.", "Albany", "I found Sol.", "Book it.", "booked", "FindRestaurants", "rate", "2.5"):
        assert word in text
    assert text.count(sample_task().description) == 1
    assert len(form_notes(renderer.form.record())) == len(changed)


@pytest.mark.parametrize("name", REFUSED)
def test_a_template_that_leaves_something_out_in_every_form_is_refused_with_what_it_is(tokenizer, name) -> None:
    template, words = REFUSED[name]
    tokenizer.chat_template = template
    with pytest.raises(ModelError, match=f"the chat template of student leaves out or changes {words}"):
        fitting_renderer(tokenizer, sample_task(), "student", expand_pairs([RICH]))
    with pytest.raises(ModelError, match=f"cannot be trained .* leaves out or changes {words}"):
        choose_rendering(tokenizer, sample_task(), "student", [RICH])


def test_what_the_conversations_do_not_have_is_not_looked_for(tokenizer) -> None:
    """A template that drops results of tools, or numbers, is native for conversations without them."""
    for template in (written(loop="messages if m.role != 'tool'"), written(call=STRINGS)):
        tokenizer.chat_template = template
        assert fitting_renderer(tokenizer, sample_task(), "student", PAIRS).form == Form()


def test_a_text_beside_a_call_is_not_lost_where_calls_are_text(tokenizer) -> None:
    tokenizer.chat_template = written(content="{{ m.content if not m.tool_calls }}")
    assert fitting_renderer(tokenizer, sample_task(), "student", expand_pairs([RICH])).form == Form()
    user, called, *rest = RICH.messages
    beside = Conversation(id="beside", source="test", messages=(user, replace(called, content="Let me look."), *rest))
    renderer = fitting_renderer(tokenizer, sample_task(), "student", expand_pairs([beside]))
    assert renderer.form == Form(calls_in_template=False)
    assert 'Let me look.\n{"name": "FindRestaurants"' in renderer.text(beside.messages)


def test_the_tasks_system_message_is_the_only_one_with_templates_that_allow_one(tokenizer) -> None:
    tokenizer.chat_template = written(head=FIRST_ONLY)
    own = Message(role="system", content="You are the old agent.")
    conversation = Conversation(id="own", source="test", messages=(own, *RICH.messages[:4], own, *RICH.messages[4:]))
    plain, replaced = (
        fitting_renderer(tokenizer, sample_task(), "student", expand_pairs([one])) for one in (RICH, conversation)
    )
    assert replaced.form == Form()
    assert replaced.text(conversation.messages) == plain.text(RICH.messages)
    trained = choose_rendering(tokenizer, sample_task(), "student", [conversation])
    assert trained.turns(conversation.messages) == trained.turns(RICH.messages)


def test_thinking_of_earlier_turns_that_a_template_drops_is_recorded_and_no_reason_to_refuse(tokenizer) -> None:
    tokenizer.chat_template = written(content="{{ m.content.split('</think>')[-1] }}")
    said = [
        replace(one, content=f"<think>\nSol?\n</think>\n\n{one.content}")
        if one.content and one.role == "assistant"
        else one
        for one in RICH.messages
    ]
    thinking = Conversation(id="thinking", source="test", messages=tuple(said))
    renderer = fitting_renderer(tokenizer, sample_task(), "student", expand_pairs([thinking]))
    assert (renderer.form, renderer.left_out) == (Form(), ("thinking of earlier turns",))
    assert fitting_renderer(tokenizer, sample_task(), "student", expand_pairs([RICH])).left_out == ()


@pytest.mark.parametrize(
    ("template", "asks"),
    [
        (written(), False),
        (written(head="{{ strftime_now('%d %b %Y') }}"), True),
        (written(head="{% if strftime_now is defined %}{{ strftime_now('%A, %-d %B %y') }}{% endif %}"), True),
        (written(head="{% if strftime_now('%m') == '02' %}It is cold.{% endif %}"), True),
        (written(head="{% if false %}{{ strftime_now('%Y') }}{% endif %}"), False),
        (written(head="{{ date_string or 'No day.' }}"), False),
    ],
)
def test_a_model_is_trained_served_and_evaluated_on_one_day_where_its_template_asks_for_it(
    tokenizer, template: str, asks: bool
) -> None:
    """The template that ships says the day of the training whatever the clock says, and asks for none."""
    tokenizer.chat_template = template
    pairs, day = expand_pairs([RICH]), date(2024, 2, 29)
    evaluated = fitting_renderer(tokenizer, sample_task(), "student", pairs, calendar=Calendar(day))
    assert evaluated.asks_for_day([pair.prefix for pair in pairs]) == asks
    trained = choose_rendering(tokenizer, sample_task(), "student", [RICH], calendar=Calendar(day))
    assert trained.day == (day if asks else None)
    assert (trained.template == template) == (not asks)
    shipped = fitting_renderer(trained.tokenizer, sample_task(), "student", pairs, calendar=Calendar(date(1999, 1, 1)))
    assert not shipped.asks_for_day([pair.prefix for pair in pairs])
    assert shipped.prompts(pairs) == evaluated.prompts(pairs)
    messages = Form().messages(shipped.system, pairs[-1].prefix)
    served = trained.tokenizer.apply_chat_template(
        messages, tools=list(sample_task().tools), add_generation_prompt=True, tokenize=False
    )
    assert served == evaluated.text(pairs[-1].prefix)


def test_a_template_that_takes_a_date_as_text_gets_it_where_the_day_is_named(tokenizer) -> None:
    template = written(
        head="{% if date_string is not defined %}{% set date_string = '26 Jul 2024' %}{% endif %}{{ date_string }}"
    )
    tokenizer.chat_template = template
    pairs = expand_pairs([RICH])
    own, named = (
        fitting_renderer(tokenizer, sample_task(), "student", pairs, calendar=Calendar(date(2020, 1, 2), named=named))
        for named in (False, True)
    )
    assert own.text(pairs[0].prefix).startswith("26 Jul 2024")
    assert not own.asks_for_day([pairs[0].prefix])
    assert named.text(pairs[0].prefix).startswith("02 Jan 2020")
    assert named.asks_for_day([pairs[0].prefix])
    calendar = Calendar(date(2020, 1, 2), named=True)
    trained = choose_rendering(tokenizer, sample_task(), "student", [RICH], calendar=calendar)
    assert trained.day == date(2020, 1, 2)
    shipped = fitting_renderer(trained.tokenizer, sample_task(), "student", pairs)
    assert shipped.text(pairs[0].prefix) == named.text(pairs[0].prefix)


def test_a_template_that_renders_no_form_is_refused_with_its_own_reason(tokenizer) -> None:
    tokenizer.chat_template = "{% if messages | length > 1 %}{{ raise_exception('one message only') }}{% endif %}"
    with pytest.raises(ModelError, match="one message only"):
        fitting_renderer(tokenizer, sample_task(), "student", PAIRS)
