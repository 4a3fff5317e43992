"""`tft actions`: what is wrong is one sentence, and a comment is ours only with a mark."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.cli.__main__ import tft
from harness.errors import GitHubError, HarnessError

PULL_REQUEST = {"pull_request": {"number": 7, "body": "A change."}}


@pytest.fixture
def request_of(tmp_path: Path) -> Callable[..., Result]:
    """Run `tft actions request` on an event."""

    def run(event: Any, *arguments: str) -> Result:
        file = tmp_path / "event.json"
        file.write_text(event if isinstance(event, str) else json.dumps(event))
        return CliRunner().invoke(tft, ["actions", "request", "--event", str(file), *arguments], env={})

    return run


@pytest.mark.parametrize(
    ("event", "arguments", "printed"),
    [
        ({}, ["--model", "ada/base"], "model=ada/base\npull_request=\n"),
        ({}, ["--model", "ada/base", "--revision", "v2"], "model=ada/base@v2\npull_request=\n"),
        (PULL_REQUEST, ["--model", "ada/base"], "model=ada/base\npull_request=7\n"),
        (PULL_REQUEST, ["--model", "ada/base", "--pull-request", "9"], "model=ada/base\npull_request=9\n"),
    ],
)
def test_a_workflow_may_name_the_model(
    request_of: Callable[..., Result], event: Any, arguments: list[str], printed: str
) -> None:
    assert request_of(event, *arguments).stdout == printed


@pytest.mark.parametrize(
    ("event", "arguments", "words"),
    [
        ({}, [], "found 0 lines"),
        ({}, ["--revision", "v2"], "--revision belongs to --model"),
        ({}, ["--model", "ada/base\nmodel=eve/x"], "one line"),
        ("[]", ["--model", "ada/base"], "holds no object"),
        ("{", ["--model", "ada/base"], "not valid JSON"),
        ({"comment": {"body": "x"}, "sender": {"login": "eve"}}, ["--model", "ada/base"], "eve may not ask"),
    ],
)
def test_what_is_wrong_with_a_request_is_said(
    request_of: Callable[..., Result], event: Any, arguments: list[str], words: str
) -> None:
    done = request_of(event, *arguments)
    assert isinstance(done.exception, HarnessError)
    assert words in str(done.exception)
    assert done.stdout == ""


def test_the_permission_has_to_be_the_senders(request_of: Callable[..., Result], tmp_path: Path) -> None:
    event = {"comment": {"body": "/evaluate ada/base"}, "issue": {"number": 7, "pull_request": {}}}
    event["issue"]["pull_request"] = {"url": "x"}
    permission = tmp_path / "permission.json"
    permission.write_text(json.dumps({"permission": "admin", "user": {"login": "ada"}}))
    done = request_of({**event, "sender": {"login": "ada"}}, "--permission", str(permission))
    assert done.stdout == "model=ada/base\npull_request=7\n"
    refused = request_of({**event, "sender": {"login": "eve"}}, "--permission", str(permission))
    assert "eve may not ask" in str(refused.exception)


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [("hello\n", None, "no mark in it"), ("<!-- tft-harness:compare -->\n", None, "no mark in it"), (None, "", "gh")],
)
def test_a_comment_that_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, path: str | None, words: str
) -> None:
    file = tmp_path / "comment.md"
    file.write_text(text or "<!-- tft-harness:compare -->\n\nGO\n")
    if path is not None:
        monkeypatch.setenv("PATH", path)
    arguments = ["actions", "comment", str(file), "--pull-request", "7", "--repository", "ada/project"]
    error = CliRunner().invoke(tft, arguments).exception
    assert isinstance(error, HarnessError)
    assert words in str(error)
    assert isinstance(error, GitHubError) is (text is None)


def test_an_empty_variable_is_no_option(request_of: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    """Workflows hand over inputs that nobody has given as empty texts."""
    monkeypatch.setenv("TFT_ACTIONS_REQUEST_MODEL", "ada/base")
    monkeypatch.setenv("TFT_ACTIONS_REQUEST_REVISION", "")
    monkeypatch.setenv("TFT_ACTIONS_REQUEST_PULL_REQUEST", "")
    done = CliRunner().invoke(tft, ["actions", "request", "--event", "/dev/null"])
    assert "not valid JSON" in str(done.exception)
    assert request_of({}).stdout == "model=ada/base\npull_request=\n"
