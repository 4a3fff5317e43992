"""From a model's name to an EvaluatedModel."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial

from harness.data.tasks import TestSet
from harness.errors import UsageError
from harness.hub.client import Hub
from harness.models.backends._base import EvaluateConfig, EvaluatedModel
from harness.models.backends._thinking import with_settings
from harness.models.engine.build import check_installed
from harness.models.engine.checkpoint import pull_checkpoint
from harness.models.engine.server import SharedEngine
from harness.models.names import ModelName
from harness.terminal import say


def prepare(name: ModelName, hub: Hub, test_set: TestSet, config: EvaluateConfig) -> EvaluatedModel:
    """Return the model ready to be asked: resolved, pulled and checked.

    Raises ModelError, HubError or UsageError where that is not possible. Each module of a backend has a
    function of this name that does it.
    """
    if name.backend == "rules":
        raise UsageError(f"{name} plays a role and answers no test set; name a model, or give it with --judge")
    module = importlib.import_module(f"harness.models.backends.{name.backend}")
    made: EvaluatedModel = module.prepare(name, hub, test_set, config)
    return made


@contextmanager
def preparing(
    names: Sequence[ModelName], hub: Hub, test_set: TestSet, config: EvaluateConfig
) -> Iterator[list[Callable[[], EvaluatedModel]]]:
    """Yield a function for each model that makes it ready to be asked; see `prepare`, whose errors they raise.

    Where thinking has several settings there is one for each of them, model by model, on one start of its engine.
    Adapters (`config.base`) are all checked before the first is asked, and share an engine, which is stopped at
    the end of the block.
    """
    if config.base is None and len(config.thinking) > 1:
        with _with_settings(names, hub, test_set, config) as made:
            yield made
        return
    if config.base is None:
        yield [partial(prepare, name, hub, test_set, config) for name in names]
        return
    from harness.models.backends._adapters import evaluated_adapters

    with evaluated_adapters(names, hub, test_set, config) as adapters:
        yield [lambda adapter=adapter: adapter for adapter in adapters]  # type: ignore[misc]


@contextmanager
def _with_settings(
    names: Sequence[ModelName], hub: Hub, test_set: TestSet, config: EvaluateConfig
) -> Iterator[list[Callable[[], EvaluatedModel]]]:
    """Yield a function for each model with each of `config.thinking`; a model is started once for all of them.

    A model's first function pulls it and checks all of its settings; raises as `prepare` does.
    """
    from harness.models.backends.vllm import EvaluatedCheckpoint, engine_options

    check_installed()
    with SharedEngine(engine_options(config)) as engine:

        @cache
        def made(name: ModelName) -> list[EvaluatedModel]:
            artifact = hub.resolve("model", name.id, name.revision)
            say(f"pulling {artifact}")
            checkpoint = pull_checkpoint(hub, artifact, trust_remote_code=config.trust_remote_code)
            return [*with_settings(partial(EvaluatedCheckpoint, checkpoint, test_set, engine=engine), config)]

        yield [
            lambda name=name, place=place: made(name)[place]  # type: ignore[misc]
            for name in names
            for place in range(len(config.thinking))
        ]
