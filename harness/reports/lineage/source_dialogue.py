"""The source dialogue that a trace was made from, where the source files are at hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from harness.data.formats.sgd import parse_dialogues
from harness.data.records import Conversation
from harness.data.sources import Sources, declared
from harness.errors import SourceError
from harness.hub.artifact import Artifact, FileInput, parse_input
from harness.reports.lineage.chain import Node

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
    """Its messages, as the harness reads them; None where the source files are not at hand."""


class DialogueReader:
    """Finds source dialogues. Each file is read once."""

    def __init__(self, sources: Sources | None) -> None:
        self._sources = sources
        self._files: dict[str, dict[str, Conversation]] = {}
        self._declared = declared().files

    def find(self, name: str, made: Node) -> SourceDialogue:
        """Return the dialogue that a row of `made` names as its source.

        Raises SourceError where the file at hand is not the pinned one.
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
