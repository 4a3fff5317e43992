"""`tft sources`: download and verify the files that the benchmark is built from."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import _options
from harness.terminal import echo, progress, say


@click.group(cls=_options.CommandGroup, epilog="\b\nExample:\n  tft sources fetch")
def command() -> None:
    """Download and verify the files that the benchmark is built from."""


@command.command(
    epilog="\b\nExamples:\n  tft sources fetch\n  tft sources fetch --to sources\n"
    "  TFT_SOURCES=sources tft data build --out data"
)
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to fill. Default: the cache, where `tft data build` looks too.",
)
@click.option("--base-url", metavar="URL", help="Mirror to download from, laid out like raw.githubusercontent.com.")
def fetch(to: Path | None, base_url: str | None) -> None:
    """Download the source dialogues and the published test set at their pinned commits.

    Every file is verified by sha256. A broken download resumes where it stopped when this is run again;
    files that are there and right are not fetched again. Prints the folder.
    """
    from harness.data import sources

    folder = to or sources.cache_folder()
    sizes = {path: file.size for path, file in sources.declared().files.items()}
    done: dict[str, int] = {}
    with progress("downloading sources", sum(sizes.values()), size=True) as advance:

        def show(path: str, now: int, _total: int) -> None:
            advance(steps=now - done.get(path, 0), note=path)
            done[path] = now

        sources.fetch(folder, base_url=base_url, progress=show)
    say(f"{len(sizes)} files, all verified")
    echo(folder)
