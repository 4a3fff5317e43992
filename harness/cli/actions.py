"""`tft actions`: for GitHub workflows: parse an evaluation request, check who made it, comment the answer."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from harness.cli import _options
from harness.errors import CheckFailed, DataError, GitHubError, UsageError
from harness.reports.markdown_templates import MARK
from harness.secrets import known
from harness.terminal import echo


@click.group("actions", cls=_options.CommandGroup)
def command() -> None:
    """Read evaluation requests in GitHub workflows, and answer them with a comment. See docs/actions.md."""


@command.command("request")
@click.option(
    "--event",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="GITHUB_EVENT_PATH",
    required=True,
    help="The event, as JSON. Default: GITHUB_EVENT_PATH.",
)
@click.option("--model", metavar="MODEL", help="What to evaluate, where the event does not say it.")
@click.option("--revision", metavar="REV", help="Branch, tag or commit of --model.")
@click.option("--pull-request", type=click.IntRange(min=1), metavar="N", help="Default: the event's, if it has one.")
@click.option(
    "--permission",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="What GitHub says of the sender's permission; without it no comment and no label counts.",
)
def request(
    *, event: Path, model: str | None, revision: str | None, pull_request: int | None, permission: Path | None
) -> None:
    """Print the model that is to be evaluated and the pull request that wants to know, as outputs of a step.

    Without --model, a comment or the description of a labelled pull request says it, in a line of its own:
    /evaluate OWNER/MODEL[@REVISION]. The sender has to have the permission to write.

    \b
    Examples:
      tft actions request --model Qwen/Qwen3-1.7B >> "$GITHUB_OUTPUT"
      gh api repos/me/project/collaborators/ada/permission > permission.json
      tft actions request --permission permission.json >> "$GITHUB_OUTPUT"
    """
    from harness.cli.actions import read_request
    from harness.errors import UsageError

    if revision and not model:
        raise UsageError("--revision belongs to --model; in a comment write /evaluate OWNER/MODEL@REVISION")
    named = f"{model}@{revision}" if model and revision else model
    found = read_request(_read_object(event), named, _read_object(permission) if permission else None)
    echo(f"model={found.model}")
    echo(f"pull_request={pull_request or found.pull_request or ''}")


@command.command("comment")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--pull-request", type=click.IntRange(min=1), required=True, metavar="N", help="Where to comment.")
@click.option(
    "--repository",
    envvar="GITHUB_REPOSITORY",
    required=True,
    metavar="OWNER/NAME",
    help="Whose pull request. Default: GITHUB_REPOSITORY.",
)
def comment(*, file: Path, pull_request: int, repository: str) -> None:
    """Make FILE, as `--markdown` writes it, a comment on a pull request, in place of the earlier one.

    Uses the program `gh` with the token in GH_TOKEN. Changes only a comment of that token's own user.

    \b
    Example:
      tft actions comment comment.md --repository me/project --pull-request 7
    """
    from harness.cli.actions import put_comment

    echo(put_comment(repository, pull_request, file))


_COMMAND = re.compile(r"^/evaluate[ \t]+(\S+)[ \t]*\r?$", re.MULTILINE)
_MODEL = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(?:@[A-Za-z0-9][\w./-]*)?", re.ASCII)
_COMMENT_URL = re.compile(r"#issuecomment-(\d+)$")
_MAY_WRITE = ("admin", "write")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request for an evaluation."""

    model: str
    pull_request: int | None
    """Where to say what came of it."""


def _read_object(path: Path) -> dict[str, Any]:
    """Return the object in a file that GitHub wrote; DataError for anything else."""
    from harness.data.formats.json_texts import read_json

    expected = "an answer or an event of GitHub as JSON"
    value = read_json(path, expected)
    if not isinstance(value, dict):
        raise DataError(f"{path} holds no object; expected {expected}")
    return value


def read_request(event: Mapping[str, Any], model: str | None, permission: Mapping[str, Any] | None) -> Request:
    """Return what an event asks for: `model`, else the line `/evaluate OWNER/MODEL` of a comment or a description.

    A comment and a label count only from a sender with write permission, which `permission` (GitHub's
    answer to `collaborators/USER/permission`) has to say: CheckFailed otherwise. UsageError where no model is named.
    """
    comment, issue, pull_request = (event.get(key) or {} for key in ("comment", "issue", "pull_request"))
    if comment or event.get("label"):
        _check_permission(event, permission)
    if comment and not issue.get("pull_request"):
        raise UsageError("the comment is on an issue; models are evaluated for pull requests")
    number = issue.get("number") if comment else pull_request.get("number")
    named = _one_line(model) if model else _from_text(str((comment or pull_request).get("body") or ""))
    return Request(model=named, pull_request=number)


def _check_permission(event: Mapping[str, Any], permission: Mapping[str, Any] | None) -> None:
    sender = (event.get("sender") or {}).get("login")
    asked = ((permission or {}).get("user") or {}).get("login")
    level = (permission or {}).get("permission")
    if not sender or sender != asked or level not in _MAY_WRITE:
        raise CheckFailed(
            f"{sender} may not ask for an evaluation: the permission of {asked} is {level!r}, expected one of "
            f"{', '.join(_MAY_WRITE)}; ask someone with write access to the repository"
        )


def _from_text(text: str) -> str:
    found = _COMMAND.findall(text)
    if len(found) != 1:
        raise UsageError(f"found {len(found)} lines `/evaluate OWNER/MODEL[@REVISION]`; write exactly one")
    # Only models of the Hub: another backend would read a file of this machine, or spend someone's key.
    if not _MODEL.fullmatch(found[0]):
        raise UsageError(f"{found[0]!r} is not a model on the Hub; write `/evaluate OWNER/MODEL[@REVISION]`")
    return str(found[0])


def _one_line(model: str) -> str:
    if not model.isprintable() or model != model.strip():
        raise UsageError(f"{model!r} is not the name of a model; expected one line without spaces around it")
    return model


def put_comment(repository: str, pull_request: int, file: Path) -> str:
    """Make the text in `file` a comment on the pull request, in place of our earlier one, and return its address.

    Which one that is says the first line of the text: a hidden mark. Comments of others are never changed.
    UsageError for a text without a mark.
    """
    text = file.read_text(encoding="utf-8")
    if what := known().find(text):
        raise UsageError(f"{file} holds {what}, which a comment would show to everybody; nothing was sent")
    mark, _, rest = text.partition("\n")
    if not mark.startswith(MARK) or not rest.strip():
        raise UsageError(
            f"{file} is not a comment of `tft evaluate --markdown` or `tft compare --markdown`: no mark in it"
        )
    listed = json.loads(_gh("pr", "view", str(pull_request), "--repo", repository, "--json", "comments"))
    ours = [one for one in listed["comments"] if one["viewerDidAuthor"] and one["body"].partition("\n")[0] == mark]
    number = _COMMENT_URL.search(ours[0]["url"]) if ours else None
    if number is None:
        return _gh("pr", "comment", str(pull_request), "--repo", repository, "--body-file", str(file))
    address = f"repos/{repository}/issues/comments/{number[1]}"
    return _gh("api", "--method", "PATCH", address, "--field", f"body=@{file}", "--jq", ".html_url")


def _gh(*arguments: str) -> str:
    """Run GitHub's own program, which takes its token from GH_TOKEN, and return what it prints."""
    try:
        done = subprocess.run(["gh", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise GitHubError("the program `gh` is missing; install it, or use a runner that has it") from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise GitHubError(f"gh {' '.join(arguments[:2])}: {said[-1]}; check GH_TOKEN and the job's permissions")
    return done.stdout.strip()
