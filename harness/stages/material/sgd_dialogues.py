"""Dialogues of SGD's services as conversations: what a small student can be given a start on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from harness.data.formats.jsonl import write_jsonl
from harness.data.formats.messages import dump_conversation
from harness.data.formats.sgd import Trace, parse_dialogues
from harness.data.sources import Sources
from harness.errors import SourceError, UsageError
from harness.reports.dataset_card import most_common_first

OTHER_SERVICES = ("Restaurants",)
"""What is excluded where the benchmark's own domain is not to be seen."""
_SPLITS = ("train", "dev", "test")


def write_dialogues(sources: Sources, path: Path, *, exclude: Sequence[str] = ()) -> dict[str, int]:
    """Write the dialogues with one service as conversations, one a line, and return their number by service.

    `exclude` names services, `Restaurants_1` or all of a kind as `Restaurants`. Every SGD file in the folder of
    the sources is read, in the order of the splits; those that the benchmark declares are verified. Raises
    UsageError where `exclude` names no service or leaves none, SourceError and DataError where a file is damaged.
    """
    traces = list(read_all(sources))
    found = {trace.service for trace in traces}
    for name in exclude:
        if not any(_is_named(service, name) for service in found):
            raise UsageError(f"no dialogue is about the service {name!r}; there are {', '.join(sorted(found))}")
    kept = [trace for trace in traces if not any(_is_named(trace.service, name) for name in exclude)]
    if not kept:
        raise UsageError(f"no dialogues are left in {sources.folder / 'sgd'}; exclude fewer services")
    write_jsonl(path, (dump_conversation(trace.conversation) for trace in kept))
    return most_common_first(Counter(trace.service for trace in kept))


def _is_named(service: str, name: str) -> bool:
    return name in (service, service.rsplit("_", 1)[0])


def read_all(sources: Sources) -> list[Trace]:
    """Return the dialogues with one service of every SGD file in the sources, in the order of the splits."""
    traces: list[Trace] = []
    for split in _SPLITS:
        for file in sorted((sources.folder / "sgd" / split).glob("dialogues_*.json")):
            where = f"sgd/{split}/{file.name}"
            traces += parse_dialogues(_content(sources, where), split=split, where=where)
    return traces


def _content(sources: Sources, where: str) -> bytes:
    if where in sources.files:
        return sources.read(where)
    file = sources.folder / where
    try:
        return file.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read {file} ({error.strerror}); make it readable, or remove it") from error
