"""Evaluation through an OpenAI-compatible endpoint: what is sent, what is repeated, and what is an error."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.jsonl import read_jsonl
from harness.data.formats.messages import dump_arguments
from harness.data.records import TurnPair
from harness.evaluation.report_json import read_report


@pytest.fixture
def ask(terminal: Any, endpoint: Any) -> Any:
    """Evaluate the endpoint's model."""

    def evaluate(*arguments: str, model: str = "counting-model", **environment: str) -> Any:
        return terminal.evaluate(f"openai:{model}", "--base-url", endpoint.url, *arguments, **environment)

    return evaluate


def _rows(folder: Path) -> list[dict[str, Any]]:
    return [row for _, row in read_jsonl(folder / "run" / "data" / "test.jsonl")]


def test_every_pair_is_asked_once_with_its_conversation_and_the_tools(
    undisturbed: Any, test_set: list[TurnPair]
) -> None:
    endpoint = undisturbed.endpoint
    assert set(endpoint.asked.values()) == {1}
    assert len(endpoint.asked) == len(endpoint.requests) == len(test_set)
    assert 1 < endpoint.most_at_once <= 3
    sent = max(endpoint.requests, key=lambda request: len(request["messages"]))
    longest = max(test_set, key=lambda pair: len(pair.prefix))
    assert [message["role"] for message in sent["messages"]] == ["system", *(m.role for m in longest.prefix)]
    calls = [call for message in sent["messages"] for call in message.get("tool_calls", ())]
    references = [call for message in longest.prefix for call in message.tool_calls]
    assert [call["function"]["arguments"] for call in calls] == [dump_arguments(call.arguments) for call in references]
    assert {tool["function"]["name"] for tool in sent["tools"]} == {pair.reference.name for pair in test_set}
    assert (sent["temperature"], sent["max_tokens"], sent["tool_choice"]) == (0, 64, "required")


def test_each_row_has_the_hash_of_its_prompt_and_the_report_that_of_all(undisturbed: Any) -> None:
    sent = [row["prompt_sha256"] for _, row in read_jsonl(undisturbed.run / "data" / "test.jsonl")]
    assert len(set(sent)) == len(sent)
    whole = hashlib.sha256("".join(sent).encode()).hexdigest()
    assert read_report(undisturbed.run / "report.json").run.prompt_sha256 == whole


def test_the_report_counts_what_the_endpoint_counted_and_the_key_is_written_nowhere(
    undisturbed: Any, test_set: list[TurnPair]
) -> None:
    report = read_report(undisturbed.run / "report.json")
    assert report.tokens == {"prompt": 100 * len(test_set), "completion": 10 * len(test_set)}
    assert f"n = {len(test_set)} pairs" in undisturbed.done.out
    written = [path.read_bytes() for path in undisturbed.run.rglob("*") if path.is_file()]
    assert len(written) == 4 + len(report.plots)
    assert not any(b"key-of-the-endpoint" in text for text in (*written, undisturbed.done.err.encode()))


def test_what_may_pass_is_asked_again_and_what_stays_is_an_error_of_its_pair(
    ask: Any, endpoint: Any, test_set: list[TurnPair], tmp_path: Path
) -> None:
    """Refusals for load and lost connections are repeated; what is no answer at all is an error, seen in the table.

    Which faults last is tried with short pauses in `tests/models/chat`; here each costs seconds.
    """
    fault = endpoint.fault
    passing = [fault(status=429), fault(status=500), fault(drop=True), fault(body='{"id": "cut off"}', cut=True)]
    lasting = [
        fault(body='{"choices": []}'),
        fault(body="[]"),
        fault(status=400, body='{"error": {"message": "the content was filtered"}}'),
    ]
    faults = [*passing, *lasting]
    places: dict[str, int] = {}  # questions wait side by side, so which one meets which fault is open

    def fault_of(question: str, before: int) -> Any:
        place = places.setdefault(question, len(places))
        if place >= len(faults) or (place < len(passing) and before >= 2):
            return None
        return faults[place]

    endpoint.faults = fault_of
    done = ask("--concurrency", "10", "--limit", "20").worked()
    rows = _rows(tmp_path)
    failed = [row for row in rows if row["error"]]
    assert (len(rows), len(failed)) == (20, 3)
    assert all(row["raw"] is None and row["staged_tool_call"] is None for row in failed)
    assert all(row["raw"] is not None for row in rows if row not in failed)
    assert "n = 17 pairs" in done.out
    assert "3 errors, 3 unscored" in done.out
    words = {"not a chat completion": 1, "no choice": 1, "filtered": 1}
    reasons = [row["reason"] for row in failed]
    assert {word: sum(word in reason for reason in reasons) for word in words} == words, reasons


def test_the_report_and_the_card_say_how_many_answers_were_kept_from_earlier_runs(
    terminal: Any, endpoint: Any, tmp_path: Path
) -> None:
    command = ["evaluate", "openai:counting-model", "--base-url", endpoint.url, "--dataset", "ada/sample", "--no-push"]
    first = terminal(*command, "--out", "first", "--limit", "5").worked()
    assert "kept from earlier runs" not in first.out
    assert "answers_kept" not in read_report(tmp_path / "first" / "report.json").run.config
    assert all("kept" not in row for _, row in read_jsonl(tmp_path / "first" / "answers.jsonl"))
    second = ["--out", "second", "--limit", "8"]
    for again in ([], ["--resume"]):
        done = terminal(*command, *second, *again).worked()
        assert "5 of 8 answers were kept from earlier runs of the same questions." in done.out
        assert read_report(tmp_path / "second" / "report.json").run.config["answers_kept"] == 5
    assert len(endpoint.requests) == 8
    terminal("card", "ada/a-model", "--report", "second/report.json", "--out", "card.md").worked()
    assert "| Answers kept from earlier runs | 5 of 8" in (tmp_path / "card.md").read_text()


_QUOTING = '{"error": {"message": "upstream failed; the request had {authorization} in its head"}}'


def _pushed(api: Any, folder: Path) -> list[bytes]:
    """Return every file that every repository of the Hub has, in any commit that a branch or a tag shows."""
    found = []
    repositories = [("model", one.id) for one in api.list_models()] + [
        ("dataset", one.id) for one in api.list_datasets()
    ]
    for kind, name in repositories:
        refs = api.list_repo_refs(name, repo_type=kind)
        for ref in [*refs.branches, *refs.tags]:
            place = folder / kind / name / ref.target_commit
            api.snapshot_download(name, repo_type=kind, revision=ref.target_commit, local_dir=place)
            found += [path.read_bytes() for path in place.rglob("*") if path.is_file()]
    return found


@pytest.mark.parametrize("place", ["variable", "address"])
def test_a_key_that_an_endpoint_quotes_is_neither_shown_nor_written_nor_published(
    terminal: Any, endpoint: Any, api: Any, tmp_path: Path, place: str
) -> None:
    """Errors of single pairs reach the log, the rows and the results dataset; those of all pairs the terminal."""
    secrets = {"variable": ["key-of-the-endpoint"], "address": ["pass-word-of-the-address", "dXNlcjpwYXNz"]}[place]
    url = endpoint.url if place == "variable" else endpoint.url.replace("//", "//user:pass-word-of-the-address@")
    terminal.environment["OPENAI_API_KEY"] = "key-of-the-endpoint"
    command = ["evaluate", "openai:counting-model", "--base-url", url, "--dataset", "ada/sample", "--push"]
    command += ["--concurrency", "1", "--limit", "12"]
    refusing = endpoint.fault(status=400, body=_QUOTING)
    endpoint.faults = lambda question, before: refusing
    refused = terminal(*command, "--out", "none")
    assert "in its head" in refused.refused("refused the request")
    faults = [None, refusing, endpoint.fault(status=500, body=_QUOTING), endpoint.fault(status=418, body=_QUOTING)]
    places: dict[str, int] = {}

    def fault_of(question: str, before: int) -> Any:
        return faults[min(places.setdefault(question, len(places)), len(faults)) % len(faults)]

    endpoint.faults = fault_of
    done = terminal(*command, "--out", "run", "--max-unscored", "1").worked()
    rows = [row for _, row in read_jsonl(tmp_path / "run" / "data" / "test.jsonl")]
    assert sum("in its head" in (row["reason"] or "") for row in rows) == 3
    published = _pushed(api, tmp_path / "pushed")
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"in its head" in text for text in published)
    said = [refused.err.encode(), done.out.encode(), done.err.encode()]
    for secret in secrets:
        assert not any(secret.encode() in text for text in (*published, *written, *said))


def test_an_endpoint_that_is_not_there_or_refuses_every_question_stops_the_run(terminal: Any, endpoint: Any) -> None:
    """With what it said, and without asking everything first."""
    bad = endpoint.fault(status=400, body='{"error": {"message": "unknown parameter tool_choice"}}')
    endpoint.faults = lambda question, before: bad
    terminal.environment["WRONG_KEY"] = "wrong"
    evaluate = ["evaluate", "--dataset", "ada/sample", "--no-push", "--out", "run"]
    here = ["--base-url", endpoint.url]
    unnamed, closed, keyless, other, wrong, refusing = terminal.run_all(
        [*evaluate, *arguments]
        for arguments in (
            ["openai:counting-model"],
            ["openai:counting-model", "--base-url", "http://127.0.0.1:9/v1"],
            ["openai:counting-model", "--base-url", "https://far.invalid/v1"],
            ["openai:other", *here],
            ["openai:counting-model", *here, "--key-variable", "WRONG_KEY"],
            ["openai:counting-model", *here],
        )
    )
    unnamed.refused("openai:counting-model", "add --base-url")
    closed.refused("http://127.0.0.1:9/v1", "cannot be reached", "Connection refused", "check the address", "--resume")
    keyless.refused("https://far.invalid/v1", "OPENAI_API_KEY")
    other.refused("refused the request", endpoint.url, "'other' does not exist", "model's name")
    wrong.refused("refused the request", "Incorrect API key", "WRONG_KEY")
    refusing.refused("unknown parameter tool_choice", "--tool-choice auto")
    assert len(endpoint.requests) <= 32


def test_an_endpoint_that_has_gone_stops_the_run_instead_of_failing_every_pair(
    ask: Any, endpoint: Any, tmp_path: Path
) -> None:
    """What it has answered is kept."""

    def go(question: str, before: int) -> Any:
        if len(endpoint.asked) > 5:
            threading.Thread(target=endpoint.stop).start()  # it waits for the thread that this is called from
        return None

    endpoint.faults = go
    ask("--concurrency", "1").refused(f"the endpoint {endpoint.url} has gone", "Connection refused", "--resume")
    kept = [json.loads(line) for line in (tmp_path / "run" / "answers.jsonl").read_text().splitlines()]
    assert 5 <= len(kept) <= 7
    assert all(answer["error"] is None for answer in kept)


def test_the_endpoints_file_says_where_and_as_what_and_how_much_a_model_is_asked(
    terminal: Any, endpoint: Any, tmp_path: Path
) -> None:
    """And an address on the command line goes before it."""
    (tmp_path / "endpoints.yaml").write_text(
        f"mine: {{base_url: '{endpoint.url}', model: counting-model, limits: {{concurrency: 2, max_tokens: 99}}}}\n"
        "counting-model: {base_url: 'http://127.0.0.1:9/v1'}\n"
    )
    terminal.evaluate("openai:mine", "--endpoints", "endpoints.yaml").worked()
    assert {request["model"] for request in endpoint.requests} == {"counting-model"}
    assert {request["max_tokens"] for request in endpoint.requests} == {99}
    assert endpoint.most_at_once <= 2
    config = json.loads((tmp_path / "run" / "lineage.json").read_text())["config"]
    assert (config["base_url"], config["model"], config["max_tokens"]) == (endpoint.url, "counting-model", 99)
    listed = terminal.evaluate("openai:counting-model", "--out", "other", TFT_ENDPOINTS="endpoints.yaml")
    listed.refused("http://127.0.0.1:9/v1 is not there")
    arguments = ["--out", "other", "--base-url", endpoint.url, "--limit", "3"]
    terminal.evaluate("openai:counting-model", *arguments, TFT_ENDPOINTS="endpoints.yaml").worked()


def test_answers_are_kept_and_not_asked_for_again(ask: Any, endpoint: Any, tmp_path: Path) -> None:
    """Another folder, and fewer pairs, get the same rows; other settings are other questions."""
    ask("--max-tokens", "64", "--limit", "10").worked()
    asked = endpoint.asked.total()
    ask("--max-tokens", "64", "--limit", "10", "--out", "again").worked()
    assert endpoint.asked.total() == asked == 10
    first, again = (tmp_path / name / "data" / "test.jsonl" for name in ("run", "again"))
    assert first.read_bytes() == again.read_bytes()
    for arguments in (["--max-tokens", "65"], ["--max-tokens", "64", "--tool-choice", "auto"]):
        ask(*arguments, "--limit", "10", "--out", "-".join(arguments).strip("-")).worked()
    assert endpoint.asked.total() == 3 * asked


def test_a_budget_ends_an_evaluation_and_a_higher_one_goes_on_with_it(
    terminal: Any, endpoint: Any, tmp_path: Path
) -> None:
    """Each question costs a cent by the endpoint's own count; the model's and the judge's add up."""
    entry = f"{{base_url: '{endpoint.url}', model: counting-model, price: {{input: 100, output: 0}}}}"
    (tmp_path / "endpoints.yaml").write_text(f"mine: {entry}\njudge: {entry}\nfree: {{base_url: '{endpoint.url}'}}\n")
    asking = ["--endpoints", "endpoints.yaml", "--concurrency", "2"]
    terminal.evaluate("openai:free", *asking, "--budget", "1").refused("openai:free has no price")
    stopped = terminal.evaluate("openai:mine", *asking, "--limit", "12", "--budget", "0.06")
    stopped.refused("the budget of $0.0600 is spent", "of 12 questions", "--resume", "higher --budget")
    sent = endpoint.asked.total()
    assert 6 <= sent <= 7
    assert len((tmp_path / "run" / "answers.jsonl").read_text().splitlines()) == sent
    judge = ["--judge", "openai:judge", "--judge-concurrency", "1", "--no-judge-baselines", "--judge-cache", "verdicts"]
    judged = terminal.evaluate("openai:mine", *asking, *judge, "--limit", "12", "--budget", "0.14", "--resume")
    judged.refused("the budget of $0.1400 is spent", f"${sent / 100:.4f} of it by earlier runs", "--resume")
    assert endpoint.asked.total() <= 14
    terminal.evaluate("openai:mine", *asking, "--limit", "12", "--budget", "0.14", "--resume").worked()
