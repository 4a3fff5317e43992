"""`tft hub`: a Hub on this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import click

from harness.cli import _options
from harness.errors import CheckFailed
from harness.terminal import echo, reveal, say, write


@click.group("hub", cls=_options.CommandGroup)
def command() -> None:
    """Run a Hugging Face Hub on this machine, to work without a network or with a team."""


@command.command("serve")
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), help="Folder. Default: ~/.cache/tft/hub.")
@click.option("--port", type=click.IntRange(0, 65535), default=7860, show_default=True, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Any other address is open to other machines.")
@click.option("--users", type=click.Path(path_type=Path), metavar="FILE", help="YAML: users, organisations, tokens.")
@click.option(
    "--quota", metavar="SIZE", help="What each user and organisation may store, e.g. 20GB. Default: no limit."
)
@_options.allow_hosts
@click.option("--verbose", is_flag=True, help="One line per request on stderr.")
def serve(**settings: Any) -> None:
    """Serve the Hub's HTTP API from a folder, until Ctrl-C.

    Unmodified clients (huggingface_hub, datasets, transformers, vLLM, the hf command) use it with the HF_ENDPOINT and
    HF_TOKEN that it prints. Without --users there is one user, `local`, whose token is made at the first start.

    \b
    Examples:
      tft hub serve
      tft hub serve --root ./hub --port 0
      tft hub serve --users users.yaml

    \b
    users.yaml:
      users:
        - {name: ada, fullname: Ada L., orgs: [lab], tokens: [{token: hf_ada, role: write}]}
      orgs:
        - {name: lab, private_by_default: true}
    """
    from harness.hub.connect import serve

    serve(reveal, **settings)


@command.command("promote")
@click.argument("names", metavar="REPO...", nargs=-1, required=True)
@click.option("--to", "target", metavar="URL", required=True, help="Hub that receives: a URL, or `embedded`.")
@click.option("--from", "source", metavar="URL", help="Hub that gives. Default: HF_ENDPOINT, else `embedded`.")
@click.option(
    "--kind",
    type=click.Choice(["model", "dataset", "space"]),
    default="model",
    show_default=True,
    help="What a bare owner/name is.",
)
@click.option("--namespace", metavar="NAME", help="User or organisation that owns the copies. Default: as before.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="Only this tag (repeatable). Default: all tags.")
@click.option("--main", metavar="REVISION", default="main", show_default=True, help="What main becomes.")
@click.option("--private/--public", default=None, help="Visibility of the copies. Default: as on the source.")
@click.option("--move-tags", is_flag=True, help="Move tags that mean other files on the receiving Hub.")
@click.option("--overwrite", is_flag=True, help="Replace the files of a main that was changed over there.")
@click.option("--relink", is_flag=True, help="On main, let card metadata and results name the new owners.")
@click.option("--dry-run", is_flag=True, help="Print what would be changed, and change nothing.")
@_options.as_json
def promote(
    *,
    names: tuple[str, ...],
    target: str,
    source: str | None,
    kind: Literal["model", "dataset", "space"],
    tags: tuple[str, ...],
    as_json: bool,
    dry_run: bool,
    **options: Any,
) -> None:
    """Copy repositories and collections with their tags from one Hub to another; only what is missing.

    Every tag and main end with the same files, by hash. A new repository stays private until it is complete. An
    interrupted run resumes with the same command; where nothing is missing, nothing is changed. Files are copied as
    they are: `.promotion.json` on main says where they come from and which commit of the source is which one here.

    REPO is owner/name (see --kind), datasets/owner/name, spaces/owner/name or collections/owner/slug.
    Tokens: HF_TOKEN for the Hub that receives, TFT_FROM_TOKEN for the one that gives (none: only public repositories).

    \b
    Examples:
      tft hub promote datasets/lab/testset lab/student --to https://huggingface.co --dry-run
      tft hub promote lab/student --tag v1 --main v1 --to https://huggingface.co --namespace me --relink
      tft hub promote datasets/me/testset --from https://huggingface.co --to http://127.0.0.1:7860
    """
    import os

    from harness.hub.connect import connect_both
    from harness.hub.promotion import promote as promotion
    from harness.hub.promotion.plan import PromoteOptions

    wanted = PromoteOptions(tags=tuple(tags) or None, **options)
    places = [promotion.parse_name(name, kind) for name in names]
    with connect_both(source or os.environ.get("HF_ENDPOINT") or "embedded", target) as (origin, receiver):
        found = promotion.plan_promotion(origin, receiver, places, wanted)
        if not dry_run:
            promotion.apply_promotion(origin, receiver, found, say)
    for note in found.notes:
        say(f"note: {note}")
    if as_json:
        write(json.dumps(promotion.as_json(found, done=not dry_run), indent=2))
    else:
        for line in promotion.as_lines(found):
            echo(line)


_used_root = click.option(
    "--root", type=click.Path(path_type=Path, file_okay=False), help="Folder of the Hub. Default: ~/.cache/tft/hub."
)


@command.command("verify", epilog="\b\nExamples:\n  tft hub verify\n  tft hub verify --root ./hub --json")
@_used_root
@_options.as_json
def verify(root: Path | None, as_json: bool) -> None:
    """Check that nothing is lost or damaged: every git object and ref, every large file by its hash, the database.

    Changes nothing, and may run beside a server. Exits with 1 and a list of what is wrong.
    """
    from harness.hub.connect import verify

    report = verify(root)
    if as_json:
        echo(json.dumps({"ok": not report.problems, **asdict(report)}))
    else:
        for problem in report.problems:
            echo(problem)
        echo(
            f"{report.repositories} repositories, {report.objects} git objects, "
            f"{report.files} large files ({report.bytes / 1e6:.1f} MB)"
        )
    if report.problems:
        raise CheckFailed(f"{len(report.problems)} problems; restore what is named from a copy, then check again.")


@command.command("gc", epilog="\b\nExamples:\n  tft hub gc\n  tft hub gc --root ./hub --grace 0")
@_used_root
@click.option("--grace", type=click.FloatRange(0), default=24, show_default=True, help="Spare what is younger: hours.")
@_options.as_json
def gc(root: Path | None, grace: float, as_json: bool) -> None:
    """Delete what nothing refers to any more: unfinished uploads, unused large files, unreachable git objects.

    The server has to be stopped first: it may be about to commit what was uploaded a moment ago. Commits that no
    branch, tag or pull request leads to (after a squash, say) are gone afterwards.
    """
    from harness.hub.connect import collect_garbage

    done = collect_garbage(root, grace=grace * 3600)
    if as_json:
        echo(json.dumps(asdict(done)))
    else:
        echo(
            f"{done.bytes / 1e6:.1f} MB freed: {done.repositories} unfinished repositories, {done.files} large files, "
            f"{done.objects} git objects"
        )
