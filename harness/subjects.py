"""A model made ready to be asked about a test set, whatever its backend: what is sent, and who answers."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.hub import Hub
from harness.models import ModelName
from harness.parsing import Reading
from harness.records import Artifact, Prediction
from harness.runner import Backend
from harness.testset import TestSet


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateConfig:
    """What the user chose for an evaluation."""

    max_tokens: int = 256
    """Longest answer, in tokens."""
    concurrency: int = 32
    """Questions under way at once. It does not change answers, so it is no part of the fingerprint."""
    engine_args: tuple[str, ...] = ()
    trust_remote_code: bool = False
    base_url: str | None = None
    key_variable: str = "OPENAI_API_KEY"
    tool_choice: str = "required"
    base: ModelName | None = None
    """The model that those to evaluate are adapters of; None: they stand on their own."""


class Subject:
    """A model ready to be asked. Each backend has its own kind."""

    artifact: Artifact | None = None
    base: Artifact | None = None
    """What the artifact is an adapter of; None where it stands on its own."""
    base_model: str | None = None
    settings: dict[str, Any]
    """What was chosen about its answers: with the inputs it makes the fingerprint."""

    # Known once the prompts are made.
    details: dict[str, Any]
    """What followed from the model itself, for the record."""
    family: str | None = None
    """Its notation of tool calls, where its chat template tells."""
    prompt_hashes: list[str]
    """SHA-256 of what is sent for each pair, in the pairs' order; empty where nothing is sent."""

    def make_prompts(self) -> None:
        """Make what is sent for each pair. `backend` does it too, while an engine starts."""

    def unaskable(self) -> list[Prediction]:
        """Return a prediction with an error for each pair that this model cannot be asked."""
        return []

    def items(self, pair_ids: Sequence[str]) -> list[Any]:
        """Return what the backend is asked for these pairs, in the test set's order."""
        raise NotImplementedError

    @contextmanager
    def backend(self, log: Path) -> Iterator[Backend[Any]]:
        """Start what answers, and stop it in the end; an engine writes to `log`."""
        del log
        raise NotImplementedError
        yield

    def second_reading(self, texts: Sequence[str]) -> tuple[str, list[Reading]] | None:
        """Return the engine's own parser and its reading of each text, where there is one."""
        del texts
        return None


def prepare(name: ModelName, hub: Hub, test_set: TestSet, config: EvaluateConfig) -> Subject:
    """Return the model ready to be asked: resolved, pulled and checked.

    Raises ModelError, HubError or UsageError where that is not possible. Each module of a backend has a
    function `subject` that does it.
    """
    if name.backend == "rules":
        raise UsageError(f"{name} plays a role and answers no test set; name a model, or give it with --judge")
    module = importlib.import_module(f"harness.models.{name.backend}")
    made: Subject = module.subject(name, hub, test_set, config)
    return made


@contextmanager
def preparing(
    names: Sequence[ModelName], hub: Hub, test_set: TestSet, config: EvaluateConfig
) -> Iterator[list[Callable[[], Subject]]]:
    """Yield a function for each model that makes it ready to be asked; see `prepare`, whose errors they raise.

    Adapters (`config.base`) are all checked before the first is asked, and share an engine, which is stopped at
    the end of the block.
    """
    if config.base is None:
        yield [partial(prepare, name, hub, test_set, config) for name in names]
        return
    from harness.models.adapters import adapter_subjects

    with adapter_subjects(names, hub, test_set, config) as subjects:
        yield [partial(_itself, subject) for subject in subjects]


def _itself(subject: Subject) -> Subject:
    return subject
