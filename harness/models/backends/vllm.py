"""vLLM: token ids in, raw text out, greedy, from a server on a checkpoint pulled at one commit."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from harness.data.records import Prediction, ToolCall, Usage
from harness.data.tasks import TestSet
from harness.errors import ModelError
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.models import parsing
from harness.models.backends.backend import NOT_ASKED, Backend, OnAnswer, ask_each
from harness.models.backends.subject import DAY, EvaluateConfig, Subject, replaced_systems
from harness.models.chat.bounded_http import RefusedBodyError, bounded_client
from harness.models.engine.checkpoint import Checkpoint, pull_checkpoint
from harness.models.engine.guard import Guard
from harness.models.engine.server import (
    SERVED_NAME,
    EngineOptions,
    Server,
    check_installed,
    default_settings,
    engine_version,
    serving,
)
from harness.models.names import ModelName
from harness.models.parsing import Reading
from harness.models.prompts import Prompt, may_ask_for_day, system_template
from harness.models.prompts.making import MODULES, MadePrompts, TokenizerFiles, make_prompts, second_reading
from harness.terminal import progress, say

_TEMPLATES = ("*.jinja", "*.json", "*.py", "*chat_templates/*")
"""Files of a repository that can hold a chat template."""

_SECONDS_EACH, _SECONDS_PARSER = 0.1, 60.0
"""Of the processor, in addition to what a guard allows: for each pair, and for importing vLLM's parsers."""

# Greedy means greedy, whatever sampling defaults the repository ships; markers of tool calls are
# special tokens in some families, so they stay in the text.
_GREEDY: dict[str, Any] = {
    "top_k": 0,
    "min_p": 0,
    "repetition_penalty": 1,
    "skip_special_tokens": False,
    "spaces_between_special_tokens": False,
}


def subject(name: ModelName, hub: Hub, test_set: TestSet, config: EvaluateConfig) -> Subject:
    """Resolve, pull and check the model; see `harness.models.backends.prepare.prepare`."""
    check_installed()
    artifact = hub.resolve("model", name.id, name.revision)
    say(f"pulling {artifact}")  # the client shows its own bars
    checkpoint = pull_checkpoint(hub, artifact, trust_remote_code=config.trust_remote_code)
    made = VllmSubject(checkpoint, test_set, config)
    made.get_ready()
    return made


class VllmSubject(Subject):
    """A checkpoint, the prompts that its own chat template makes, and a vLLM server that answers them."""

    artifact: Artifact

    def __init__(self, checkpoint: Checkpoint, test_set: TestSet, config: EvaluateConfig) -> None:
        self.artifact = checkpoint.artifact
        self.base_model = checkpoint.base_model
        self.settings = {
            "backend": "vllm",
            "engine": engine_version(),
            "engine_args": list(config.asking.engine_args),
            "max_tokens": config.max_tokens,
            "temperature": 0,
            "thinking": False,
            "system_template": system_template(test_set.task),
            "trust_remote_code": config.trust_remote_code,
            **replaced_systems(test_set),
        }
        self._checkpoint = checkpoint
        self._test_set = test_set
        self._config = config
        self._prompts: list[Prompt] = []
        self._day = self._made_for = config.day
        self._guard = Guard(checkpoint.artifact.repo_id)
        self._asks = False

    def get_ready(self) -> None:
        """Start the child that makes prompts: what it imports takes seconds."""
        self._guard.start(*MODULES)

    def asks_for_day(self) -> bool:
        """Return whether the chat template does; its prompts are made for that only where its text says it may."""
        named = self._config.day is not None
        files = (path for folder in self._template_folders() for name in _TEMPLATES for path in folder.glob(name))
        if any(may_ask_for_day(path.read_bytes(), named=named) for path in files if path.is_file()):
            self.make_prompts()
        return self._asks

    def use_day(self, day: date) -> None:
        """Render for this day, and record it."""
        self._day = day
        self.settings[DAY] = day.isoformat()

    def _template_folders(self) -> Sequence[Path]:
        return (self._checkpoint.folder,)

    def make_prompts(self) -> None:
        """Render every pair with the model's tokenizer and chat template; ModelError where that fails."""
        if self._prompts and self._made_for == self._day:
            return
        pairs, named = self._test_set.pairs, self._config.day is not None
        self.get_ready()
        made: MadePrompts = self._guard.call(
            *(partial(make_prompts, named=named), self._tokenizer_files(), self._test_set.task, pairs, self._day),
            seconds=_SECONDS_EACH * len(pairs),
        )
        self._made_for = self._day
        self._asks = made["asks"]
        self._prompts = [
            Prompt(pair_id=pair.id, token_ids=tuple(ids)) for pair, ids in zip(pairs, made["prompts"], strict=True)
        ]
        self.prompt_hashes = [prompt.sha256() for prompt in self._prompts]
        self.family = made["family"]
        self.details = {
            **made["form"],
            "system_sha256": hashlib.sha256(made["system"].encode()).hexdigest(),
            "family": self.family,
            "engine_defaults": _engine_defaults(),
        }

    def _tokenizer_files(self) -> TokenizerFiles:
        return TokenizerFiles(
            name=self.artifact.repo_id,
            folder=self._checkpoint.folder,
            trust_remote_code=self._config.trust_remote_code,
        )

    def unaskable(self) -> list[Prediction]:
        """Return the pairs whose prompt and longest answer exceed the model's context, with the numbers."""
        context, answer = self._checkpoint.context, self._config.max_tokens
        return [
            Prediction(
                pair_id=prompt.pair_id,
                raw=None,
                finish_reason=NOT_ASKED,
                error=f"the prompt has {len(prompt.token_ids)} tokens and the answer may have {answer}, "
                f"but the model's context is {context}",
                prompt_sha256=prompt.sha256(),
            )
            for prompt in self._prompts
            if context is not None and len(prompt.token_ids) + answer > context
        ]

    def _check_room(self) -> None:
        """Raise ModelError where not a single prompt fits: the engine need not even finish its start."""
        if self._prompts and len(self.unaskable()) == len(self._prompts):
            shortest = min(len(prompt.token_ids) for prompt in self._prompts)
            raise ModelError(
                f"none of the {len(self._prompts)} prompts fits into the context of {self._checkpoint.artifact}: "
                f"it has {self._checkpoint.context} tokens, the shortest prompt {shortest}, and the answer may have "
                f"{self._config.max_tokens}; lower --max-tokens, or give a model with a longer context"
            )

    def items(self, pair_ids: Sequence[str]) -> list[Any]:
        """Return the prompts of these pairs, in the test set's order, which shares prefixes best."""
        wanted = set(pair_ids)
        return [prompt for prompt in self._prompts if prompt.pair_id in wanted]

    @contextmanager
    def backend(self, log: Path) -> Iterator[Backend[Any]]:
        """Start the server; the prompts are made, and what scoring needs is imported, while it loads."""
        config = self._config
        options = EngineOptions(extra_args=config.asking.engine_args, trust_remote_code=config.trust_remote_code)
        with serving(self._checkpoint, options, log) as server:
            with progress("starting vLLM"):
                self._start(server)
            yield VllmBackend(server, config.max_tokens, config.concurrency)

    def _start(self, server: Server) -> None:
        self.make_prompts()
        self._check_room()
        _import_meanwhile()
        if self._parser():
            self._guard.import_soon("vllm.tool_parsers")
        server.wait_until_ready()

    def second_reading(self, texts: Sequence[str]) -> tuple[str, list[Reading]] | None:
        """Return the reading by vLLM's parser for the model's family, where it has one."""
        try:
            parser = self._parser()
            return (parser, self._read(texts, parser)) if parser else None
        finally:
            self._guard.close()

    def _parser(self) -> str | None:
        """Return the name of vLLM's parser for the model's family."""
        return parsing.families()[self.family].vllm_parser if self.family else None

    def _read(self, texts: Sequence[str], parser: str) -> list[Reading]:
        found = self._guard.call(
            *(second_reading, self._tokenizer_files(), list(texts), parser, self._test_set.task.tools),
            seconds=_SECONDS_PARSER + _SECONDS_EACH * len(texts),
        )
        calls = (ToolCall(**one["call"]) if one["call"] else None for one in found)
        return [
            Reading(call=call, reason=one["reason"], calls=one["calls"]) for call, one in zip(calls, found, strict=True)
        ]


def _engine_defaults() -> list[str]:
    arguments, environment = default_settings()
    return [*arguments, *(f"{name}={value}" for name, value in environment.items())]


def _import_meanwhile() -> None:
    """Import what scoring will need while the engine loads, which leaves a core idle."""
    modules = ["openai", "scipy.stats", "rouge_score.rouge_scorer", "matplotlib.figure"]

    def work() -> None:
        for module in modules:
            with suppress(ImportError):  # raised again, and reported, where it is needed
                importlib.import_module(module)

    threading.Thread(target=work, daemon=True).start()


class VllmBackend:
    """Answers prompts through a running server, as token ids, greedily.

    Its client is its own: prompts are token ids, which chat requests (`harness.models.chat`) cannot carry, and the
    server is ours, so that there are no keys, prices, limits or overload to mind.
    """

    def __init__(self, server: Server, max_tokens: int, concurrency: int, *, adapter: str | None = None) -> None:
        """`adapter` is the name by which the server knows the adapter to ask; None asks the model itself."""
        self.server = server
        self.max_tokens = max_tokens
        self.concurrency = concurrency
        self.adapter = adapter
        from openai import AsyncOpenAI

        direct = bounded_client(trust_env=False)  # a proxy must not see prompts
        self._client = AsyncOpenAI(base_url=server.url, api_key="none", max_retries=2, timeout=None, http_client=direct)

    def ask(self, prompts: Sequence[Prompt], on_answer: OnAnswer) -> None:
        """Ask for each prompt, then let the engine go: there are no more questions, but for other adapters."""
        asyncio.run(self._ask(prompts, on_answer))

    async def _ask(self, prompts: Sequence[Prompt], on_answer: OnAnswer) -> None:
        try:
            await ask_each(prompts, self._answer, on_answer, concurrency=self.concurrency)
        finally:
            await self._client.close()
            if self.adapter is None:
                self.server.begin_stop()

    async def _answer(self, prompt: Prompt) -> Prediction:
        """Return the model's answer; raises EngineError where the engine has died."""
        from openai import APIError

        sent = prompt.sha256()
        try:
            reply = await self._client.completions.create(
                model=self.adapter or SERVED_NAME,
                prompt=list(prompt.token_ids),
                max_tokens=self.max_tokens,
                temperature=0,
                top_p=1,
                extra_body=_GREEDY,
            )
        except (APIError, RefusedBodyError) as error:
            self.server.check_alive()
            return Prediction(pair_id=prompt.pair_id, raw=None, error=f"engine: {error}", prompt_sha256=sent)
        choice, usage = reply.choices[0], reply.usage
        details = usage.prompt_tokens_details if usage else None
        return Prediction(
            pair_id=prompt.pair_id,
            raw=choice.text,
            finish_reason=choice.finish_reason,
            prompt_sha256=sent,
            usage=Usage(
                prompt=usage.prompt_tokens,
                completion=usage.completion_tokens,
                cached=(details.cached_tokens if details else None) or 0,
            )
            if usage
            else None,
        )
