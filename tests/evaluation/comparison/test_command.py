"""`tft compare`: files, run folders and results on a Hub; exit statuses; and comments that texts cannot break."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import support.tft
from harness.cli.__main__ import tft as commands
from harness.data.formats.jsonl import write_json, write_jsonl
from harness.errors import CheckFailed, HarnessError, Inconclusive
from harness.evaluation.records import EvalReport, EvalRun
from harness.evaluation.report_json import dump_report
from harness.hubd.embedded import running
from harness.reports.comparison import MARKER, MAX_BYTES
from support.tft import Done

METRICS = ("staged_tool_call", "binary_tool_call", "tool_call_equivalence", "rouge")
GITHUB_LIMIT = 65_536


def rows(values: Sequence[float | None], **texts: Any) -> list[dict[str, Any]]:
    """Return results rows of eight conversations."""
    return [
        {
            "pair_id": f"c{place % 8}:{place // 8}",
            "conversation": f"c{place % 8}",
            "turn": place // 8,
            "reference": {"name": "book", "arguments": {"place": place}},
            "prediction": None if value is None else f"answer {place}",
            **dict.fromkeys(METRICS, value),
            **texts,
        }
        for place, value in enumerate(values)
    ]


def report(model: str, **changes: Any) -> EvalReport:
    run = EvalRun(
        model=model,
        model_revision="a" * 40,
        dataset="me/tft-benchmark-testset",
        dataset_revision="b" * 40,
        config={},
        prompt_sha256="c" * 64,
        versions={},
        date="2026-01-02T03:04:05Z",
        timings={},
    )
    run = dataclasses.replace(run, **changes)
    return EvalReport(run=run, rows={}, by_tool={}, macro={}, readings={}, tokens={})


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write rows to a file and return its name."""

    def write(name: str, content: Sequence[Mapping[str, Any]]) -> str:
        write_jsonl(tmp_path / name, content)
        return str(tmp_path / name)

    return write


def run_folder(folder: Path, content: Sequence[Mapping[str, Any]], made: EvalReport) -> str:
    write_jsonl(folder / "data" / "test.jsonl", content)
    write_json(folder / "report.json", dump_report(made))
    return str(folder)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["compare", *arguments])


def works(*arguments: str) -> str:
    done = invoke(*arguments)
    assert done.exit_code == 0, done.output or done.exception
    return done.stdout


def fails(*arguments: str) -> HarnessError:
    error = invoke(*arguments).exception
    assert isinstance(error, HarnessError), error
    return error


def test_the_table_names_both_sides_and_every_metric(write: Callable[..., str]) -> None:
    out = works(write("a.jsonl", rows([0.5] * 40)), write("b.jsonl", rows([None, 1.0, *[0.5] * 38])))
    assert re.search(r"^A .*a\.jsonl: 40 pairs of 8", out, re.MULTILINE)
    assert re.search(r"^B .*b\.jsonl: 40 pairs of 8", out, re.MULTILINE)
    for metric in METRICS:
        assert re.search(rf"{metric} +0\.500 +0\.513 +\+0\.013 ±0\.0\d\d +1\.000 +1\.000 +0\.\d+", out)
        assert re.search(rf"{metric} +1 +0 +38 +0 +1\s", out)
    assert re.search(r"book +39 +0\.500 +0\.513", out)
    assert "0 lower and 1 higher in B; 1 shown" in out
    assert "c1, turn 0: 0.5 -> 1" in out


def test_a_result_with_many_cut_answers_is_warned_of(tmp_path: Path) -> None:
    made = dataclasses.replace(report("vllm:me/two"), cut=3, ended=16)
    one = run_folder(tmp_path / "one", rows([1.0] * 16), report("vllm:me/one"))
    two = run_folder(tmp_path / "two", rows([1.0] * 16), made)
    said = "B: 3 of 16 answers (18.8 %) were cut at the limit of tokens."
    assert said in json.loads(works(one, two, "--json"))["warnings"][0]
    assert said in works(one, two, "--markdown")


def test_folders_of_runs_bring_their_models_and_revisions(tmp_path: Path) -> None:
    one = run_folder(tmp_path / "one", rows([1.0] * 16), report("vllm:me/one"))
    two = run_folder(tmp_path / "two", rows([1.0] * 16), report("vllm:me/two", dataset_revision="d" * 40))
    document = json.loads(works(one, two, "--json"))
    assert [(side["model"], side["dataset_revision"][:2]) for side in (document["a"], document["b"])] == [
        ("vllm:me/one", "bb"),
        ("vllm:me/two", "dd"),
    ]
    assert "The test sets differ" in document["warnings"][0]
    assert document["verdict"] is None
    (tmp_path / "one" / "report.json").unlink()
    assert "cannot read the report" in str(fails(one, two))


def test_json_holds_every_turn_that_differs_and_the_gate(write: Callable[..., str]) -> None:
    a = write("a.jsonl", rows([1.0] * 48, judge_reason="it\u2028said \U0001f600"))
    b = write("b.jsonl", rows([0.75] * 24 + [1.0] * 24))
    document = json.loads(works(a, b, "--json", "--show", "0", "--metric", "rouge", "--metric", "staged_tool_call"))
    assert list(document["metrics"]) == ["rouge", "staged_tool_call"]
    assert document["main"] == "rouge"
    assert len(document["flips"]) == document["metrics"]["rouge"]["worse"] == 24
    assert document["flips"][0]["a_reason"] == "it\u2028said \U0001f600"
    assert document["pairs"] == {"common": 48, "only_a": 0, "only_b": 0}
    gated = invoke(a, b, "--json", "--gate")
    assert isinstance(gated.exception, CheckFailed)
    assert json.loads(gated.stdout)["verdict"]["decision"] == "NO-GO"


def test_the_minimum_effect_and_alpha_reach_the_gate(write: Callable[..., str]) -> None:
    a, b = write("a.jsonl", rows([1.0] * 48)), write("b.jsonl", rows([0.9, 0.95, 1.0] * 16))
    assert isinstance(fails(a, b, "--gate"), CheckFailed)
    assert "GO: B is not worse than A by 0.06 or more" in works(a, b, "--gate", "--minimum-effect", "0.06")
    assert isinstance(fails(a, b, "--gate", "--alpha", "0.001"), Inconclusive)  # 8 conversations: p is 0.008
    assert "GO: B is better than A" in works(b, a, "--gate=better")
    assert "NO-GO: B is not better" in str(fails(a, b, "--gate", "better"))


@pytest.mark.parametrize(
    ("every", "status", "said"), [(1, 1, "error: NO-GO: B is worse than A"), (7, 3, "error: INCONCLUSIVE: it is open")]
)
def test_exit_statuses_of_the_gate(write: Callable[..., str], every: int, status: int, said: str) -> None:
    """B loses every turn, or every seventh one; equal ones of many conversations are GO."""
    a = write("a.jsonl", rows([1.0 if place % 5 else 0.6 for place in range(48)]))
    b = write("b.jsonl", rows([0.5 if place % every == 0 else 1.0 for place in range(48)]))
    done = support.tft.run(("compare", a, b, "--gate"), environment=os.environ, folder=Path(a).parent)
    assert done.status == status, done.err
    assert done.err.startswith(said)
    assert "staged_tool_call" in done.out


@pytest.mark.parametrize(("conversations", "status"), [(6, 3), (40, 3), (160, 0)])
@pytest.mark.parametrize("change", [0.0, -0.01])
def test_equal_results_of_few_conversations_do_not_pass_a_gate(
    write: Callable[..., str], conversations: int, status: int, change: float
) -> None:
    """Nor does one where a single conversation differs slightly; the interval in the table and the JSON has a width."""
    grades = [[1.0] * (2 * conversations), [1.0 + change, *[1.0] * (2 * conversations - 1)]]
    a, b = (
        write(
            f"{name}.jsonl",
            [
                {**row, "pair_id": f"c{place % conversations}:{place}", "conversation": f"c{place % conversations}"}
                for place, row in enumerate(rows(values))
            ],
        )
        for name, values in zip("ab", grades, strict=True)
    )
    done = invoke(a, b, "--gate", "--json", "--minimum-effect", "0.02")
    error = done.exception
    assert (error.exit_code if isinstance(error, HarnessError) else 0) == status
    difference = json.loads(done.stdout)["metrics"]["staged_tool_call"]["difference"]
    assert difference["high"] - difference["low"] > 1 / conversations
    if status:
        assert "which says little about those not seen" in str(error)


def published(content: Callable[[int], dict[str, Any]], prediction: int | None) -> list[dict[str, Any]]:
    """Return published rows, three conversations of four turns; `content` is what a message of a call has at a turn."""
    made = []
    for conversation in range(3):
        history: list[dict[str, Any]] = [{"role": "user", "content": f"conversation {conversation}"}]
        for turn in range(4):
            answer = json.dumps({"name": "book", "parameters": {"a": turn, "b": [1]}})
            said = json.dumps({"name": "book", "parameters": {"a": prediction}})
            row = {
                "question": json.dumps(history),
                "answer": answer,
                "prediction": answer if prediction is None else said,
            }
            made.append(row)
            history += [{"role": "assistant", **content(turn)}, {"role": "user", "content": f"turn {turn}"}]
    return made


def _call(turn: int, arguments: Any = None, **beside: Any) -> dict[str, Any]:
    function = {"name": "book", "arguments": arguments or json.dumps({"a": turn, "b": [1]})}
    return {"tool_calls": [{"id": f"x{turn}", "type": "function", "function": function}], **beside}


SPELLINGS: dict[str, Callable[[int], dict[str, Any]]] = {
    "missing": _call,
    "null": lambda turn: _call(turn, content=None),
    "empty": lambda turn: _call(turn, content=""),
    "mixed": lambda turn: _call(turn, content="" if turn % 2 else None),
    "space": lambda turn: _call(turn, content=" \n"),
    "no parts": lambda turn: _call(turn, content=[]),
    "empty part": lambda turn: _call(turn, content=[{"type": "text", "text": ""}]),
    "words": lambda turn: _call(turn, content="Let me look."),
    "object": lambda turn: _call(turn, {"b": [1], "a": turn}, content=""),
    "spacing": lambda turn: _call(turn, f'{{ "b" : [ 1 ],\n"a":{turn} }}', content=""),
    "no id, no type": lambda turn: {"content": "", "tool_calls": [_call(turn)["tool_calls"][0]["function"]]},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_conversations_are_told_apart_by_what_was_said(write: Callable[..., str], spelling: str) -> None:
    """However nothing, or the same call, is spelled in the history; and A and B may spell it in two ways."""
    a = write("a.jsonl", published(SPELLINGS["null"], None))
    b = write("b.jsonl", published(SPELLINGS[spelling], 99))
    for one, other in ((b, b), (a, b)) if spelling != "words" else ((b, b),):
        found = json.loads(invoke(one, other, "--json").stdout)
        assert found["metrics"]["staged_tool_call"]["difference"]["clusters"] == 3
    labelled = write("c.jsonl", [{**row, "label": 1, "judge": 1} for row in published(SPELLINGS[spelling], 99)])
    done = CliRunner().invoke(commands, ["agreement", labelled, "--label", "label", "--column", "judge", "--json"])
    assert json.loads(done.stdout)["agreement"]["clusters"] == 3, done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.jsonl", "nowhere/b.jsonl"], "neither a file nor a folder"),
        (["a.jsonl", "me/model@v2"], "--results REPO@REV"),
        (["a.jsonl", "."], "not the folder of a finished run"),
        (["a.jsonl", "a.jsonl", "--json", "--markdown"], "--markdown FILE"),
        (["a.jsonl", "a.jsonl", "--results", "me/results"], "both here"),
        (["a.jsonl", "a.jsonl", "--metric", "bleu"], "no metric 'bleu' on both sides"),
        (["a.jsonl", "me/model", "--hub", "nonsense"], "no address"),
    ],
)
def test_wrong_usage_is_one_sentence(
    write: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], message: str
) -> None:
    write("a.jsonl", rows([1.0] * 8))
    monkeypatch.chdir(tmp_path)
    error = fails(*arguments)
    assert message in str(error)
    assert error.exit_code == 2


def test_an_option_with_an_optional_value_never_takes_a_side_for_its_file(write: Callable[..., str]) -> None:
    a, b = write("a.jsonl", rows([1.0] * 8)), write("b.jsonl", rows([1.0] * 8))
    before = Path(a).read_bytes()
    done = invoke("--markdown", a, b)
    assert done.exit_code == 2
    assert Path(a).read_bytes() == before


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A Hub with two results; the value is the environment that leads to it."""
    from huggingface_hub import CommitOperationAdd, HfApi

    folder = tmp_path_factory.mktemp("hub")
    with running(folder / "root") as served:
        api = HfApi(endpoint=served.url, token=served.token)
        api.create_repo("local/tft-benchmark-results", repo_type="dataset")
        first = ""
        for values in ([0.5] * 48, [1.0] * 48):  # the second commit replaces the first one's scores
            operations = []
            for config, model, scores in (
                ("local--one", "vllm:local/one", [1.0] * 48),
                ("openai-two", "openai:two", values),
            ):
                lines = "".join(json.dumps(row) + "\n" for row in rows(scores))
                operations += [
                    CommitOperationAdd(f"data/{config}/test.jsonl", lines.encode()),
                    CommitOperationAdd(f"reports/{config}.json", json.dumps(dump_report(report(model))).encode()),
                ]
            done = api.create_commit(
                "local/tft-benchmark-results", operations, commit_message="results", repo_type="dataset"
            )
            first = first or done.oid
        yield {
            **os.environ,
            "HF_ENDPOINT": served.url,
            "HF_TOKEN": served.token,
            "HF_HUB_CACHE": str(folder / "cache"),
            "FIRST": first,
        }


def tft(hub: Mapping[str, str], *arguments: str) -> Done:
    return support.tft.run(("compare", *arguments), environment=hub, folder=Path())


def test_results_on_a_hub_are_found_by_model_and_pinned_to_a_commit(hub: dict[str, str], tmp_path: Path) -> None:
    """An earlier commit of the results gives the earlier scores; a local run can stand beside a published one."""
    done = tft(hub, "local/one", "openai:two", "--gate", "--json")
    assert done.status == Inconclusive.exit_code, done.err  # equal, in eight conversations
    document = json.loads(done.out)
    assert document["metrics"]["staged_tool_call"]["difference"]["value"] == 0.0
    assert re.fullmatch(r"local--one of local/tft-benchmark-results@[0-9a-f]{12}", document["a"]["source"])
    assert document["b"]["model"] == "openai:two"

    mine = run_folder(tmp_path / "mine", rows([1.0] * 48), report("vllm:local/one"))
    earlier = tft(hub, mine, "openai-two", "--gate", "--results", f"local/tft-benchmark-results@{hub['FIRST']}")
    assert earlier.status == 1, earlier.err
    assert f"local/tft-benchmark-results@{hub['FIRST'][:12]}" in earlier.out


def test_a_model_without_a_result_is_refused_with_those_that_are_there(hub: dict[str, str], tmp_path: Path) -> None:
    mine = run_folder(tmp_path / "mine", rows([1.0] * 48), report("vllm:local/three"))
    done = tft(hub, mine, "local/three")
    assert done.status == 2
    assert done.out == ""
    assert "has no result of local/three; it has local--one, openai-two." in done.err


NASTY = (
    "@everyone look, #1 and octo/repo#2, closes #3 and deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
    "![image](https://evil.example/x.png) [link](javascript:alert(1)) https://evil.example www.evil.example",
    "</details></summary><script>alert(1)</script><img src=x onerror=alert(1)><!-- open",
    f"{MARKER} -->",
    "`code` ``` fence\n\n```\nblock\n\n# heading\n\n| a | b |\n|---|---|\n| 1 | 2 |",
    "\u202ereversed\u2028line\u0000nul\x1b[31mred\x1b]0;title\x07 \ud800 [bold]rich[/bold] [/] \\",
    ":tada: **bold** _it_ ~~gone~~ $$x$$ {{ 7 * 7 }} {% raw %}",
)
TEXT = st.one_of(
    st.sampled_from(NASTY),
    st.text(min_size=1, max_size=60),
    st.text(alphabet="<>&|`*_[]()!#-+=~$\\\n\r\t :/.@1a", min_size=1, max_size=60),
)
GFM = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def hostile_rows(value: float, text: str) -> list[dict[str, Any]]:
    """Return rows in the results layout that hold `text` wherever a row may hold text."""
    return [
        {
            "pair_id": f"{text}{place}",
            "conversation": f"{text}{place}",
            "turn": 0,
            "reference": {"name": text, "arguments": {text: text}},
            "prediction": text,
            **dict.fromkeys(METRICS, value),
            "judge_reason": text,
        }
        for place in range(8)
    ]


@given(TEXT)
@settings(max_examples=30, deadline=None)
def test_texts_cannot_break_out_of_the_comment(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever the texts, the comment has the same blocks; they stand in code, where GitHub follows no reference."""
    folder = tmp_path_factory.mktemp("hostile")

    text = text.encode("utf-8", "replace").decode()  # a file in UTF-8 holds no lone surrogate

    def comment(text: str) -> str:
        changes = {"dataset": text, "dataset_revision": text, "config": {"judge": text}}
        sides = [
            run_folder(folder / str(value), hostile_rows(value, text), report(f"openai:{text}", **changes))
            for value in (1.0, 0.0)
        ]
        return works(*sides, "--markdown")

    found, plain = comment(text), comment("plain")
    shape = [[token.type for token in GFM.parse(one)] for one in (found, plain)]
    assert shape[0] == shape[1]
    assert found.startswith(f"{MARKER}\n\n**")
    assert found.count("<!--") == found.count("-->") == 1
    outside = re.sub(r"<code>.*?</code>|`[^`\n]*`", "", found.removeprefix(MARKER))
    assert set(re.findall(r"<[^>]*>", outside)) == {"<details>", "<summary>", "</summary>", "</details>"}
    assert not re.search(r"@|#\d|!\[|https?:|www\.|evil", outside)


def test_texts_cannot_steer_the_terminal(write: Callable[..., str]) -> None:
    files = [write(f"{value}.jsonl", hostile_rows(value, NASTY[5].replace("\ud800", ""))) for value in (1.0, 0.0)]
    out = works(*files)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", out)
    assert "[bold]rich[/bold] [/] \\" in " ".join(out.split())


def test_half_a_character_in_a_row_is_printed_everywhere_as_u_fffd(tmp_path: Path) -> None:
    for name, value in (("a", 1.0), ("b", 0.0)):
        lines = "".join(json.dumps(row) + "\n" for row in hostile_rows(value, "x\ud800y"))
        (tmp_path / name).write_text(lines)
    sides = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert json.loads(works(*sides, "--json"))["flips"][0]["a"] == "x\ufffdy"
    assert "`x\ufffdy`" in works(*sides, "--markdown")
    assert "x\ufffdy" in works(*sides)


@pytest.mark.parametrize("text", ["long " * 2_000, "<&|@\U0001f600" * 2_000])
def test_a_comment_stays_below_the_limit_and_shows_as_many_turns_as_fit(write: Callable[..., str], text: str) -> None:
    files = []
    for name, value in (("a", 1.0), ("b", 0.0)):
        content = [{**row, "prediction": text} for row in rows([value] * 160)]
        for place, row in enumerate(content):
            row["reference"] = {"name": f"{text[:500]}{place % 50}", "arguments": {}}
        files.append(write(name, content))
    target = str(Path(files[0]).parent / "comment.md")
    works(*files, "--show", "1000", "--markdown", target)
    comment = Path(target).read_text(encoding="utf-8")
    assert MAX_BYTES / 2 < len(comment.encode()) <= MAX_BYTES < GITHUB_LIMIT
    shown = int(re.search(r"160 lower in B, 0 higher \((\d+) shown\)", comment)[1])  # type: ignore[index]
    assert 0 < shown < 160
    assert comment.count("\n     - B: ") == shown
    assert "and 30 more tools" in comment
    assert comment.rstrip().endswith("</details>")


def test_the_comment_begins_with_its_marker_and_the_verdict(write: Callable[..., str]) -> None:
    files = write("a.jsonl", rows([1.0] * 48)), write("b.jsonl", rows([0.0] * 48))
    done = invoke(*files, "--gate", "--markdown", "--show", "2")
    assert isinstance(done.exception, CheckFailed)
    lines = done.stdout.splitlines()
    assert lines[0] == MARKER
    assert lines[2].startswith(
        "**NO-GO**: B is worse than A, as measured by more than 0.02 in staged_tool_call: B - A is -1.000"
    )
    html = GFM.render(done.stdout)
    assert html.count("<table>") == 2
    assert html.count("<details>") == html.count("</details>") == 2
    assert "48 lower in B, 0 higher (2 shown)" in html


def test_the_published_predictions_as_a_user_compares_them(sources: Path) -> None:
    folder = sources / "tft-benchmark" / "predictions"
    out = works(str(folder / "base.jsonl"), str(folder / "tuned.jsonl"), "--gate=better", "--show", "1")
    assert re.search(r"llm-as-a-judge +0\.513 +0\.846 +\+0\.333 ", out)
    assert re.search(r"staged_tool_call +0\.535 +0\.769 +\+0\.234 ", out)
    assert "GO: B is better than A, as measured by more than 0.02 in llm-as-a-judge" in " ".join(out.split())


def test_the_tenth_turn_of_a_comment_is_listed_like_the_first(write: Callable[..., str]) -> None:
    """A list below `10.` needs more room than one below `1.`, or it leaves its turn."""
    a, b = write("a.jsonl", rows([1.0] * 48)), write("b.jsonl", rows([0.0] * 24 + [1.0] * 24))
    comment = works(a, b, "--show", "11", "--markdown")
    nesting = [token.level for token in MarkdownIt().parse(comment) if token.type == "bullet_list_open" and token.level]
    assert len(nesting) == 11
    assert len(set(nesting)) == 1


def test_rows_without_scores_are_read_in_any_notation_with_the_schemas_types(write: Callable[..., str]) -> None:
    """The tools are those of --tools, or the row's own."""
    tools = [{"name": "book", "parameters": {"properties": {"n": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}}}]
    answer = '{"name": "book", "parameters": {"n": 3}}'
    coder = "<tool_call>\n<function=book>\n<parameter=n>\n3\n</parameter>\n</function>\n</tool_call>"
    asked = [[{"role": "user", "content": f"Table {number}, please."}] for number in range(12)]
    plain = write("a.jsonl", [{"question": one, "answer": answer, "prediction": answer} for one in asked])
    rows = [{"question": one, "answer": answer, "prediction": coder} for one in asked]
    schemas = write("tools.jsonl", [{"tools": tools}])
    for options in ([write("b.jsonl", [{**row, "tools": tools} for row in rows])], [write("c.jsonl", rows), schemas]):
        found = json.loads(works(plain, options[0], "--json", *(["--tools", schemas] if options[1:] else [])))
        assert found["metrics"]["binary_tool_call"]["b"]["value"] == 1.0


def test_results_of_two_arithmetics_are_not_compared(tmp_path: Path) -> None:
    """An endpoint's is not known, and neither is that of rows without a report, which is said."""
    fast = {"config": {"arithmetic": "bfloat16, compiled, attention split"}}
    folders = {
        name: run_folder(tmp_path / name, rows([1.0] * 16), made)
        for name, made in {
            "usual": report("vllm:me/one"),
            "fast": report("vllm:me/two", **fast),
            "also": report("vllm:me/three", **fast),
            "argued": report("vllm:me/four", config={"engine_args": ["--dtype", "float16"]}),
            "endpoint": report("openai:large"),
        }.items()
    }
    for one, two in (("usual", "fast"), ("fast", "usual"), ("fast", "argued"), ("argued", "usual")):
        error = fails(folders[one], folders[two], "--gate", "not-worse")
        assert "answered in" in str(error)
        assert "--fast" in str(error)
    assert works(folders["fast"], folders["also"], "--markdown").count("answered in bfloat16, compiled") == 2
    works(folders["fast"], folders["endpoint"])
    bare = str(Path(folders["usual"]) / "data" / "test.jsonl")
    [warning] = json.loads(works(folders["fast"], bare, "--json"))["warnings"]
    assert "in which arithmetic B was answered" in warning
    assert json.loads(works(folders["usual"], bare, "--json"))["warnings"] == []
