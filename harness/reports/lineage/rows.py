"""The rows of a dataset at its commit by id, and the source dialogues that traces were made from."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from harness.data.formats.jsonl import read_jsonl
from harness.data.formats.messages import dump_conversation
from harness.data.formats.sgd import parse_dialogues
from harness.data.records import Conversation
from harness.data.sources import Sources, declared
from harness.data.traces.read import read_traces
from harness.errors import DataError, SourceError, UsageError
from harness.hub.artifact import Artifact, FileInput, parse_input
from harness.hub.client import Hub
from harness.reports.lineage.chain import Node

_SUFFIXES = (".jsonl", ".parquet")
_NEAR = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRow:
    """A row as stored in a dataset."""

    id: str
    file: str
    """Its file in the repository."""
    values: Mapping[str, Any]

    @property
    def kept(self) -> bool:
        """Whether its stage has not rejected it."""
        return self.values.get("kept") is not False


class RowReader:
    """Reads the rows of each dataset once."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._rows: dict[str, dict[str, list[StoredRow]]] = {}

    def rows(self, node: Node) -> Mapping[str, list[StoredRow]]:
        """Return all rows of a dataset by id, several where an id was tried several times; accepted ones come first.

        Raises DataError where a file cannot be read, HubError where it cannot be had.
        """
        if node.name not in self._rows:
            self._rows[node.name] = self._read(node)
        return self._rows[node.name]

    def find(self, node: Node, id: str) -> StoredRow | None:
        """Return the row with an id, the accepted one of several; None where there is none."""
        return next(iter(self.rows(node).get(id, ())), None)

    def expect(self, node: Node, id: str) -> StoredRow:
        """Return the row with an id; UsageError says how the ids look, and which come near."""
        found = self.find(node, id)
        if found is None:
            raise UsageError(f"{node.artifact} has no row {id!r}; {_how_they_look(list(self.rows(node)), id)}")
        return found

    def _read(self, node: Node) -> dict[str, list[StoredRow]]:
        if node.artifact is None:
            return {}
        files = sorted(
            file for file in self._hub.files(node.artifact) if file.startswith("data/") and file.endswith(_SUFFIXES)
        )
        folder = self._hub.pull(node.artifact, files) if files else Path()
        found: dict[str, list[StoredRow]] = {}
        for file in files:
            # A stage writes plain rows; those of others may have any known layout, and ids by their position.
            own = node.record is not None and file.endswith(".jsonl")
            try:
                rows = [row for _, row in read_jsonl(folder / file)] if own else _any_layout(folder / file)
            except DataError as error:  # its place on the Hub says more than the one in the cache
                problem = str(error).replace(f"{folder}/", "")
                raise DataError(f"{node.artifact}: {problem}; correct it there and push it again") from error
            for values in rows:
                id = str(values.get("id"))
                found.setdefault(id, []).append(StoredRow(id=id, file=file, values=values))
        return {id: sorted(rows, key=lambda row: not row.kept) for id, rows in found.items()}


def _any_layout(path: Path) -> list[dict[str, Any]]:
    return [{**dump_conversation(row.conversation), **row.columns} for row in read_traces(path)]


def _how_they_look(ids: list[str], wanted: str) -> str:
    if not ids:
        return "it has no rows at all"
    near = difflib.get_close_matches(wanted, ids, n=_NEAR, cutoff=0.6)
    shown = f"near it are {', '.join(near)}" if near else "none comes near it"
    span = ids[0] if len(ids) == 1 else f"{ids[0]} to {ids[-1]}"
    return f"its {len(ids)} ids are {span}, and {shown}"


def no_row(node: Node, ids: list[str], wanted: str, what: str) -> UsageError:
    """Return the error for an id that is not among those of `node`; `what` says of what they are."""
    return UsageError(f"{node.artifact} has no {what} {wanted!r}; {_how_they_look(ids, wanted)}")


_DIALOGUE = re.compile(r"(?P<split>train|dev|test)/(?P<file>\d+)_\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDialogue:
    """Where a trace comes from, at the end of all lineage."""

    name: str
    """`split/dialogue_id` of SGD; else what the row itself says: a file and a line."""
    file: str | None
    """The input of the lineage that holds it, `path@sha256:<hex>`; None where none does."""
    repository: str | None
    """Where the file was fetched, `repository@commit`; None where the lineage does not say."""
    conversation: Conversation | None = None
    """Its messages, as the harness reads them; None without the source files."""


class DialogueReader:
    """Finds source dialogues. Each file is read once."""

    def __init__(self, sources: Sources | None) -> None:
        self._sources = sources
        self._files: dict[str, dict[str, Conversation]] = {}
        self._declared = declared().files

    def find(self, name: str, made: Node) -> SourceDialogue:
        """Return the dialogue that a row of `made` names as its source.

        Raises SourceError where the local file is not the pinned one.
        """
        inputs = [parse_input(one.name) for one in made.inputs]
        path = _path(name)
        place = _holding([one for one in inputs if isinstance(one, FileInput)], path, name)
        repositories = [str(one) for one in inputs if isinstance(one, Artifact)]
        fetched = self._declared[place.name].repository if place and place.name in self._declared else None
        return SourceDialogue(
            name=name,
            file=str(place) if place else None,
            repository=next((one for one in repositories if one == fetched), None),
            conversation=self._read(place.name, place.sha256).get(name) if place and path else None,
        )

    def _read(self, path: str, sha256: str | None) -> dict[str, Conversation]:
        if self._sources is None or path not in self._sources.files:
            return {}
        if path not in self._files:
            if self._sources.files[path].sha256 != sha256:
                raise SourceError(
                    f"the lineage was made from {path} with sha256 {sha256}, and this harness has it pinned to "
                    f"{self._sources.files[path].sha256}; use the harness that made it"
                )
            traces = parse_dialogues(self._sources.read(path), split=path.split("/")[1], where=path)
            self._files[path] = {trace.conversation.source: trace.conversation for trace in traces}
        return self._files[path]


def _holding(files: Sequence[FileInput], path: str | None, name: str) -> FileInput | None:
    """Return the file that holds what a row names as its source: `split/dialogue_id`, or `file:line`."""
    if path is not None:
        return next((one for one in files if one.name == path), None)
    base = name.rpartition(":")[0] or name
    named = [one for one in files if PurePosixPath(one.name).name == base]
    return named[0] if named else files[0] if len(files) == 1 else None


def _path(name: str) -> str | None:
    """Return the file of SGD that holds a dialogue, None for what is no dialogue of it."""
    found = _DIALOGUE.fullmatch(name)
    return f"sgd/{found['split']}/dialogues_{int(found['file']):03d}.json" if found else None
