"""The rows of a dataset at its commit, by their ids."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.formats.jsonl import read_jsonl
from harness.data.formats.messages import dump_conversation
from harness.data.traces.read import read_traces
from harness.errors import DataError, UsageError
from harness.hub.client import Hub
from harness.reports.lineage.chain import Node

_SUFFIXES = (".jsonl", ".parquet")
_NEAR = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRow:
    """A row as it lies in a dataset."""

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
            # A stage writes plain rows; those of somebody else may have any known layout, and ids by their position.
            own = node.record is not None and file.endswith(".jsonl")
            try:
                rows = _plain(folder / file) if own else _any_layout(folder / file)
            except DataError as error:  # its place on the Hub says more than the one in the cache
                problem = str(error).replace(f"{folder}/", "")
                raise DataError(f"{node.artifact}: {problem}; correct it there and push it again") from error
            for values in rows:
                id = str(values.get("id"))
                found.setdefault(id, []).append(StoredRow(id=id, file=file, values=values))
        return {id: sorted(rows, key=lambda row: not row.kept) for id, rows in found.items()}


def _plain(path: Path) -> list[dict[str, Any]]:
    return [row for _, row in read_jsonl(path)]


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
