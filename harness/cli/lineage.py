"""`tft lineage`: where an artifact, a training row or a score comes from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import _options
from harness.errors import CheckFailed, RepoNotFound, UsageError
from harness.terminal import console, echo, progress, show, write

if TYPE_CHECKING:
    from rich.console import RenderableType

    from harness.data.sources import Sources
    from harness.hub.artifact import Artifact, RepoKind
    from harness.hub.client import Hub
    from harness.reports.lineage.query import LineageAnswer


@click.command(
    epilog="""\b
Examples:
  tft lineage me/tft-benchmark-s2-tft-qwen3-1.7b
  tft lineage me/tft-benchmark-s2-synthetic --row s2-syn-0007
  tft lineage me/tft-benchmark-s2-relabelled@v1 --row s2-tft-0012 --json
  tft lineage me/tft-benchmark-s2-tft-qwen3-1.7b --row test-0003:2
  tft lineage me/tft-benchmark-results --row me--tft-benchmark-s2-tft-qwen3-1.7b/test-0003:2
"""
)
@click.argument("repo", metavar="REPO[@REV]")
@click.option("--row", metavar="ID", help="Follow one row: a conversation of a dataset, or a score: see above.")
@click.option("--depth", type=click.IntRange(min=0), metavar="N", help="Levels of the chain to print. Default: all.")
@click.option("--kind", type=click.Choice(["model", "dataset"]), help="What REPO is. Default: what there is.")
@click.option(
    "--results", metavar="REPO[@REV]", help="Where a model's scores are. Default: <owner>/tft-benchmark-results."
)
@_options.sources
@_options.hub
@_options.as_json
def command(
    *,
    repo: str,
    row: str | None,
    depth: int | None,
    kind: RepoKind | None,
    results: str | None,
    sources: Path | None,
    hub: str | None,
    as_json: bool,
) -> None:
    """Print what REPO was made from: every artifact at its commit, with stage, models, prompts and settings.

    \b
    --row follows one row back, and says at each step what was done to it and by whom:
      a synthetic conversation (s2-syn-0007) to its exemplars, their votes, and the dialogues behind them
      a trace (s2-tft-0012) of the traces, the filtered or the relabelled dataset
      a score: a turn (test-0003:2) of a model, or MODEL/TURN of a results dataset

    The chain is checked on the way: inputs that are missing, records that were changed, tags that lead elsewhere. Exit
    status 1 where something is wrong; it is printed.
    """
    from harness.hub.connect import connected
    from harness.reports.lineage.query import ask

    with connected(hub) as client, progress("following the chain"):
        artifact = _artifact(client, repo, kind)
        found = ask(client, artifact, row, results=results, sources=_sources(sources))
    if as_json:
        import json

        from harness.reports.lineage.query import as_document

        write(json.dumps(as_document(found.chain, found.row), indent=2))  # ASCII: texts may hold what UTF-8 cannot
    else:
        _print(found, depth)
    problems = found.problems()
    if problems:
        raise CheckFailed(f"{len(problems)} things are wrong with the chain behind {found.chain.root.name}")


def _artifact(hub: Hub, repo: str, kind: RepoKind | None) -> Artifact:
    """Return the repository at the commit; UsageError where the name is of a model and of a dataset."""
    from harness.hub.artifact import split_revision

    kinds: tuple[RepoKind, ...] = (kind,) if kind else ("dataset", "model")
    found = []
    for one in kinds:
        try:
            found.append(hub.find(repo, one))
        except RepoNotFound:
            if kind:
                raise
    if not found:
        repo_id, revision = split_revision(repo)
        at = f" at revision {revision!r}" if revision else ""
        raise RepoNotFound(
            f"{repo_id}{at} was not found on {hub.endpoint}, neither as a dataset nor as a model; check the name, and "
            "if it is private set HF_TOKEN to a token that may read it"
        )
    if len(found) > 1:
        raise UsageError(f"{repo} is a dataset and a model; say which with --kind")
    return found[0]


def _sources(folder: Path | None) -> Sources | None:
    """Return the source files, None where there are none and none were named: then dialogues are named, not shown."""
    from harness.data.sources import locate
    from harness.errors import SourceError

    try:
        return locate(folder)
    except SourceError:
        if folder is not None:
            raise
        return None


def _print(found: LineageAnswer, depth: int | None) -> None:
    out = console()
    if out.is_terminal:
        show(_parts(found, depth))
        return
    out.width = max(out.width, 120)  # a pipe has no width
    with out.capture() as captured:
        for part in _parts(found, depth):
            out.print(part)
    for line in captured.get().splitlines():
        echo(line.rstrip())  # columns are filled with space


def _parts(found: LineageAnswer, depth: int | None) -> Iterator[RenderableType]:
    from harness.reports.lineage.chain_view import chain_tree, line

    yield from found.render()
    if found.row is not None:
        yield line("")
        yield line("The chain behind it, the newest first", "bold")
    yield chain_tree(found.chain, depth)
    yield line("")
    problems = found.problems()
    for problem in problems:
        yield line(f"problem: {problem}", "bold red")
    if not problems:
        count = sum(node.artifact is not None for node in found.chain.root.walk())
        yield line(f"whole: {count} artifacts, all inputs are there and all records are as they were written", "green")
    if found.row is None and found.example:
        yield line(f"--row follows one row, such as {found.example}", "dim")
