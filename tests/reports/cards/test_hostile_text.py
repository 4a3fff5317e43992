"""Names and descriptions from outside cannot become markup, metadata or code."""

from __future__ import annotations

import ast
import dataclasses
import html
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness.data.published_facts import published_facts
from harness.data.records import Task
from harness.evaluation.records import EvalReport
from harness.evaluation.results import config_name
from harness.reports import markdown_templates as markdown
from harness.reports import model_card
from harness.reports.card_block import merge_readme
from harness.reports.dataset_card import render
from harness.reports.leaderboard import boards
from harness.reports.publish import CARD_TEMPLATE

EXAMPLE = "distillabs/tft-benchmark-s2-tft-Qwen3-1.7B"
NASTY = (
    "<!-- tft-harness:end -->",
    "x\n---\nlicense: mit\n---\n# owned",
    "a | b | c",
    "`code` ``` fence",
    "[click](javascript:alert(1)) ![i](http://evil.example/x.png)",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }} {% raw %}",
    "\u202ereversed\u2028line \x00 nul",
    "~~gone~~ **bold** _it_ $$x$$",
    "\ud800 lone",
)


TEXT = st.one_of(
    st.text(max_size=80), st.sampled_from(NASTY), st.text(alphabet="<>&|`*_[]()!#-+=~$\\\n\r\t :/.@1a", max_size=60)
)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
GFM = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def visible(markdown_text: str) -> str:
    """Return the text that a reader sees, and fail where a tag is not one that plain text makes."""
    rendered = GFM.render(markdown_text)
    tags = set(re.findall(r"</?([a-z0-9]+)", rendered))
    assert tags <= {"p", "code"}, rendered
    return html.unescape(re.sub(r"<[^>]*>", "", rendered))


@given(TEXT)
@settings(max_examples=500, deadline=None)
def test_escaped_text_is_shown_as_it_is_and_makes_no_markup(text: str) -> None:
    expected = " ".join(markdown.one_line(text).split())
    assert " ".join(visible(f"x {markdown.escape(text)} x").split()) == f"x {expected} x".replace("x  x", "x x")
    assert " ".join(visible(str(markdown.escape(text))).split()) == expected


CODE = re.compile(r"<code>.*?</code>", re.DOTALL)
# As GitHub reads text that is not code: people, issues, commits.
REFERENCE = re.compile(
    r"(?<![\w`/])@[a-z0-9]|(?<!\w)#\d|[\w-]/[\w.-]+#\d|\bGH-\d|\b(?=\w*[a-f])[0-9a-f]{40}\b", re.IGNORECASE
)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
REFERRING = st.lists(
    st.sampled_from(["@", "#", "GH-", "a", "1", "/", " ", "-", "_", ".", "`", "*", "&", "\u200b", "\\", "|", COMMIT]),
    max_size=12,
).map("".join)


@given(REFERRING)
@settings(max_examples=300, deadline=None)
def test_nobody_is_mentioned_and_nothing_referred_to(text: str) -> None:
    for marked in (markdown.escape(text), markdown.code(text)):
        rendered = html.unescape(re.sub(r"<[^>]*>", "", CODE.sub("\x00", GFM.render(f"x {marked} x"))))
        assert not REFERENCE.search(rendered), rendered


@given(TEXT)
@settings(max_examples=300, deadline=None)
def test_a_table_cell_stays_one_cell(text: str) -> None:
    table = f"| a | b | c |\n|---|---|---|\n| {markdown.escape(text)} | {markdown.code(text)} | end |\n"
    rendered = GFM.render(table)
    assert rendered.count("<td>") == 3
    assert rendered.count("<tr>") == 2
    assert "<td>end</td>" in rendered


@pytest.fixture(scope="session")
def hostile_report(make_report: Any, estimate: Any) -> Callable[[str], EvalReport]:
    def build(text: str) -> EvalReport:
        report = make_report()
        run = dataclasses.replace(
            report.run,
            model=f"vllm:{text}",
            dataset=text or "x",
            base_model=text or None,
            config={text: text, "judge": text, "system_template": text},
            versions={text: text},
            date=text,
            timings={text: 1.0},
        )
        model = {text: estimate(0.5), "llm-as-a-judge": estimate(0.25)}
        tool = {metric: {text: estimate(0.5)} for metric in model}
        readings = {text: {text: estimate(0.5)}}
        return dataclasses.replace(report, run=run, rows={"model": model}, by_tool=tool, readings=readings, macro={})

    return build


def hostile_task(text: str) -> Task:
    parameters = {"type": "object", "properties": {text: {"type": "string"}}, "required": [text]}
    tool = {"type": "function", "function": {"name": text, "description": text, "parameters": parameters}}
    return Task(description=text, tools=(tool,))


def shape(card: str) -> list[str]:
    """Return the card's structure: headings, tables and links' targets aside from their text."""
    return [token.type for token in GFM.parse(card) if not token.type.startswith(("inline", "paragraph"))]


@pytest.fixture(scope="module")
def plain_shape(hostile_report: Any) -> list[str]:
    """The structure of the card of names that are not hostile."""
    plain = model_card.render_card(hostile_report("plain"), model_card.identify(EXAMPLE), hostile_task("plain"))
    return shape(plain.partition("\n---\n")[2])


@given(TEXT)
@settings(max_examples=150, deadline=None)
def test_hostile_names_leave_a_benchmark_card_whole(
    hostile_report: Any, plain_shape: list[str], reading: Any, text: str
) -> None:
    # A card says more of a metric that it knows, and the report below has one of that name.
    assume(text not in published_facts().metrics)
    card = model_card.render_card(hostile_report(text), model_card.identify(EXAMPLE), hostile_task(text))
    metadata = reading.front_matter(card)
    assert metadata["license"] == "apache-2.0"
    assert metadata["base_model"] == (markdown.one_line(text).strip() if text else "Qwen/Qwen3-1.7B")
    body = card.partition("\n---\n")[2]
    assert shape(body) == plain_shape
    assert not re.search(r"<(?!/?(?:code|details|summary)>)[a-z!/]", FENCED.sub("", body))
    ast.parse(reading.code_block(card, "python"))


@given(TEXT, TEXT)
@settings(max_examples=150, deadline=None)
def test_hostile_names_leave_the_block_of_another_model_whole(hostile_report: Any, name: str, text: str) -> None:
    card = model_card.render_card(hostile_report(text), model_card.identify(f"me/{name}"), hostile_task(text))
    assert merge_readme(card, card) == card
    assert FENCED.sub("", card).count("<!--") == 2


def results_card(report: EvalReport) -> str:
    reports = {config_name(report.run.model): report}
    found = boards(reports, {})
    return render(CARD_TEMPLATE, repo_id="me/results", reports=reports, boards=found, size="n<1K", with_report=False)


@given(TEXT)
@settings(max_examples=150, deadline=None)
def test_hostile_names_leave_the_card_of_the_results_whole(hostile_report: Any, reading: Any, text: str) -> None:
    card = results_card(hostile_report(text))
    assert reading.front_matter(card)["license"] == "cc-by-sa-4.0"
    assert reading.front_matter(card)["size_categories"] == ["n<1K"]
    plain = results_card(hostile_report("plain"))
    assert shape(card.partition("\n---\n")[2]) == shape(plain.partition("\n---\n")[2])
    ast.parse(reading.code_block(card, "python"))


@given(TEXT)
def test_a_text_in_front_matter_reads_back_as_one_value(text: str) -> None:
    expected = markdown.one_line(text).strip()
    assert yaml.safe_load(f"a: {markdown.scalar(text)}\nb: 1\n") == {"a": expected, "b": 1}
