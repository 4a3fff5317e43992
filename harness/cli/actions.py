"""`tft actions`: what workflows on GitHub need besides the other verbs."""

from __future__ import annotations

from pathlib import Path

import click

from harness.terminal import echo


@click.group("actions")
def command() -> None:
    """For workflows on GitHub: who asks for what, and the comment that answers. See docs/actions.md."""


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
    from harness.cli._github import read_json, read_request
    from harness.errors import UsageError

    if revision and not model:
        raise UsageError("--revision belongs to --model; in a comment write /evaluate OWNER/MODEL@REVISION")
    named = f"{model}@{revision}" if model and revision else model
    found = read_request(read_json(event), named, read_json(permission) if permission else None)
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
    """Make FILE, as `--markdown` writes it, a comment on a pull request, in the place of the earlier one.

    Uses the program `gh` with the token in GH_TOKEN. Changes only a comment of that token's own user.

    \b
    Example:
      tft actions comment comment.md --repository me/project --pull-request 7
    """
    from harness.cli._github import put_comment

    echo(put_comment(repository, pull_request, file))
