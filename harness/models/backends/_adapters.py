"""LoRA adapters that share a base: pulled and checked, then asked one after the other through one vLLM server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from harness.data.tasks import TestSet
from harness.errors import ModelError, UsageError
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.models.backends._adapter_files import CONFIG, RANKS, WEIGHTS, misfit, read_adapter
from harness.models.backends._base import EvaluateConfig
from harness.models.backends._thinking import with_settings
from harness.models.backends._vllm_client import Asked
from harness.models.backends.vllm import EvaluatedCheckpoint, engine_options
from harness.models.engine.build import check_installed
from harness.models.engine.checkpoint import Checkpoint, pull_checkpoint
from harness.models.engine.guard import Guard
from harness.models.engine.guard_child import shown
from harness.models.engine.server import Server, SharedEngine
from harness.models.names import ModelName
from harness.models.prompts.make_prompts import TokenizerFiles
from harness.terminal import say

_PLACES = ("", "adapter/")
"""Where an adapter lies in its repository: at the top, or beside the merged weights of a trained model."""
_TEMPLATE = "chat_template.jinja"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
_SMALL = (".json", ".jinja", ".txt", ".model")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A pulled adapter: its commit, the local folders and its configuration."""

    artifact: Artifact
    folder: Path
    """Where its configuration and weights are."""
    root: Path
    """The top of its repository, where a trained model has its tokenizer and chat template."""
    config: dict[str, Any]

    @property
    def rank(self) -> int:
        """The largest rank of its modules."""
        ranks: list[int] = [self.config["r"], *(self.config.get("rank_pattern") or {}).values()]
        return max(ranks)

    def find(self, *names: str) -> Path | None:
        """Return the first of these files that its repository has, those beside the adapter first."""
        found = (folder / name for folder in (self.folder, self.root) for name in names)
        return next((path for path in found if path.is_file()), None)


def pull_adapter(hub: Hub, artifact: Artifact) -> Adapter:
    """Check the repository by its file list, download the adapter, and check its configuration.

    Raises ModelError where there is no LoRA adapter as safetensors, or one of a kind that vLLM does not serve.
    """
    name, files = artifact.repo_id, hub.files(artifact)
    place = next((place for place in _PLACES if place + CONFIG in files), None)
    if place is None:
        raise ModelError(f"{name} has no {CONFIG}, at its top level or in `adapter`; give the repository of an adapter")
    if place + WEIGHTS not in files:
        raise ModelError(
            f"{name} has no {place}{WEIGHTS}; save the adapter as safetensors (save_pretrained writes it) "
            "and push it again"
        )
    folders = {PurePosixPath(), PurePosixPath(place)}
    small = [file for file in files if PurePosixPath(file).parent in folders and file.endswith(_SMALL)]
    root = hub.pull(artifact, [*small, place + WEIGHTS])
    with Guard(name) as guard:
        config = guard.call(read_adapter, root, place, name)
    return Adapter(artifact=artifact, folder=root / place, root=root, config=config)


def check_fit(adapter: Adapter, base: Checkpoint) -> None:
    """Raise ModelError where the adapter's shapes are not the base's; say so where it names another base that fits."""
    name, own = adapter.artifact.repo_id, adapter.config.get("base_model_name_or_path")
    own = shown(ValueError(own)) if own else None
    named = f"; it names {own} as its base, give that one" if own and own != base.artifact.repo_id else ""
    with Guard(name) as guard:
        quantized = bool(base.config.get("quantization_config"))
        problem = guard.call(misfit, adapter.folder / WEIGHTS, name, base.folder, base.artifact.repo_id, quantized)
    if problem:
        raise ModelError(f"the adapter of {name} does not fit {base.artifact}: {problem}{named or '; train it again'}")
    if named:
        say(f"the adapter of {name} names {own} as its base; its shapes fit {base.artifact}, which is used")


def adapter_files(adapter: Adapter, files: TokenizerFiles, base: Artifact) -> TokenizerFiles:
    """Return the tokenizer and chat template of an adapter's repository, where it has them, on those of its base."""
    own = adapter.find(*_TOKENIZERS)
    return replace(files, own=own.parent if own else None, template=adapter.find(_TEMPLATE), base=str(base))


class EvaluatedAdapter(EvaluatedCheckpoint):
    """An adapter on its base, with the tokenizer and chat template of its own repository where it has them."""

    def __init__(
        self, adapter: Adapter, base: Checkpoint, engine: SharedEngine, test_set: TestSet, config: EvaluateConfig
    ) -> None:
        super().__init__(base, test_set, config, engine=engine)
        self.last = False
        self.artifact = adapter.artifact
        self.base = base.artifact
        self.base_model = base.artifact.repo_id
        self.settings |= {
            "base": str(base.artifact),
            "adapter": str(adapter.folder.relative_to(adapter.root)),
        }
        self._guard, self._reader = Guard(adapter.artifact.repo_id), Guard(adapter.artifact.repo_id)
        self._adapter = adapter

    def _tokenizer_files(self) -> TokenizerFiles:
        return adapter_files(self._adapter, super()._tokenizer_files(), self._checkpoint.artifact)

    def _template_folders(self) -> Sequence[Path]:
        return (*super()._template_folders(), self._adapter.root, self._adapter.folder)

    def _asked(self, server: Server) -> Asked:
        return replace(super()._asked(server), adapter=str(self.artifact))


class EvaluatedBase(EvaluatedCheckpoint):
    """The base itself, asked through the server of its adapters; the last to be asked, since that ends the server."""

    def __init__(self, engine: SharedEngine, base: Checkpoint, test_set: TestSet, config: EvaluateConfig) -> None:
        super().__init__(base, test_set, config, engine=engine)
        self.settings |= {"beside_adapters": True}


@contextmanager
def evaluated_adapters(
    names: Sequence[ModelName], hub: Hub, test_set: TestSet, config: EvaluateConfig
) -> Iterator[list[EvaluatedCheckpoint]]:
    """Yield each adapter of `config.base` ready to be asked; their server is stopped at the end of the block.

    With `config.with_base` the last name is that of the base itself. Raises ModelError, HubError or EngineError where
    one of them, or the base, cannot be served: before anything starts.
    """
    if config.base is None:
        raise ValueError("adapters need a base")
    check_installed()
    origin = hub.resolve("model", config.base.id, config.base.revision)
    named = names[:-1] if config.with_base else names
    artifacts = [hub.resolve("model", name.id, name.revision) for name in named]
    if len(set(artifacts)) < len(artifacts):
        raise UsageError(f"an adapter is named twice ({', '.join(map(str, artifacts))}); name each once")
    adapters = [pull_adapter(hub, artifact) for artifact in artifacts]
    say(f"pulling {origin}")
    base = pull_checkpoint(hub, origin, trust_remote_code=config.trust_remote_code)
    for adapter in adapters:
        check_fit(adapter, base)
    with SharedEngine(engine_options(config, *lora_arguments(adapters))) as engine:
        made: list[EvaluatedCheckpoint] = []
        for adapter in adapters:
            made += with_settings(partial(EvaluatedAdapter, adapter, base, engine, test_set), config)
        if config.with_base:
            made += with_settings(partial(EvaluatedBase, engine, base, test_set), config)
        yield made


def lora_arguments(adapters: Sequence[Adapter]) -> tuple[str, ...]:
    """Return the engine's arguments for these adapters: each is served under its repository and commit."""
    rank = next(rank for rank in RANKS if rank >= max(adapter.rank for adapter in adapters))
    modules = [json.dumps({"name": str(adapter.artifact), "path": str(adapter.folder)}) for adapter in adapters]
    sizes = ("--max-lora-rank", str(rank), "--max-cpu-loras", str(len(adapters)))
    return ("--enable-lora", *sizes, "--lora-modules", *modules)
