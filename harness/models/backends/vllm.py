"""vLLM: token ids in, raw text out, greedy or sampled, from a server on a checkpoint pulled at one commit."""

from __future__ import annotations

import hashlib
import importlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from harness.data.records import Prediction, ToolCall
from harness.data.tasks import TestSet
from harness.errors import ModelError
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.models import parsing
from harness.models.backends import _base
from harness.models.backends._base import DAY, NOT_ASKED, Backend, EvaluateConfig, EvaluatedModel, replaced_systems
from harness.models.backends._replicas import sharing_out
from harness.models.backends._thinking import THINKING_TOKENS, ThinkingRoom, with_settings
from harness.models.backends._vllm_client import Asked, VllmBackend
from harness.models.engine.arithmetic import ARITHMETIC, Arithmetic
from harness.models.engine.build import check_installed, default_settings, engine_version, recorded_args
from harness.models.engine.checkpoint import Checkpoint, pull_checkpoint
from harness.models.engine.devices import start_engines
from harness.models.engine.guard import Guard
from harness.models.engine.server import EngineOptions, Server, SharedEngine
from harness.models.names import ModelName
from harness.models.parsing import Reading
from harness.models.prompts import Calendar, Prompt, may_ask_for_day, system_template
from harness.models.prompts.make_prompts import MODULES, MadePrompts, TokenizerFiles, make_prompts, second_reading
from harness.models.prompts.renderer import THINKING_OFF
from harness.models.prompts.thinking import OFF, Thinking, find_thinking, may_think
from harness.terminal import progress, say

_TEMPLATES = ("*.jinja", "*.json", "*.py", "*chat_templates/*")
"""Files of a repository that can hold a chat template."""

_SECONDS_EACH, _SECONDS_PARSER = 0.1, 60.0
"""Of the processor, in addition to what a guard allows: for each pair, and for importing vLLM's parsers."""

NO_TEMPLATE = ("--chat-template", "{{ '' }}")
"""Prompts are sent as token ids: the engine need not try the model's own template when it starts."""


def prepare(name: ModelName, hub: Hub, test_set: TestSet, config: EvaluateConfig) -> EvaluatedModel:
    """Resolve, pull and check the model; see `harness.models.backends._prepare.prepare`."""
    check_installed()
    artifact = hub.resolve("model", name.id, name.revision)
    say(f"pulling {artifact}")  # the client shows its own bars
    checkpoint = pull_checkpoint(hub, artifact, trust_remote_code=config.trust_remote_code)
    [made] = with_settings(partial(EvaluatedCheckpoint, checkpoint, test_set), config)
    return made


class EvaluatedCheckpoint(EvaluatedModel):
    """A checkpoint, the prompts that its own chat template makes, and a vLLM server that answers them."""

    artifact: Artifact

    def __init__(
        self,
        checkpoint: Checkpoint,
        test_set: TestSet,
        config: EvaluateConfig,
        *,
        engine: SharedEngine | None = None,
    ) -> None:
        """Without `engine` it starts one of its own. Of what `config` asks of thinking, the first counts here."""
        self.artifact = checkpoint.artifact
        self.base_model = checkpoint.base_model
        self.settings = {
            "backend": "vllm",
            "engine": engine_version(),
            "engine_args": recorded_args(config.asking.engine_args),
            "max_tokens": config.max_tokens,
            **config.decoding,
            "thinking": False,
            "system_template": system_template(test_set.task),
            "trust_remote_code": config.trust_remote_code,
            **replaced_systems(test_set),
            **({ARITHMETIC: str(config.arithmetic)} if config.arithmetic else {}),
        }
        self._checkpoint = checkpoint
        self._test_set = test_set
        self._config = config
        self.asked: dict[str, Prompt] = {}
        self._day = config.day
        self._made_for: date | None = None
        self._guard = Guard(checkpoint.artifact.repo_id)
        self._reader = Guard(checkpoint.artifact.repo_id)
        """For the second reading: vLLM's parsers take long to import."""
        self._asks = False
        self._engine = engine
        self.last = True
        """Whether the engine is let go after the last question: it is for nobody else."""
        self._thinking: Thinking | None = None

    def get_ready(self) -> None:
        """Start the child that makes prompts: what it imports takes seconds."""
        self._guard.start(*MODULES, torch=self._config.trust_remote_code)

    def choose_thinking(self) -> None:
        """Find out how the model thinks, and record it where it does; the child is asked only where it may.

        Raises UsageError where the chat template does not have what was asked for.
        """
        asked = self._config.thinking[0]
        if asked or any(may_think(content) for content in self._template_texts()):
            self.get_ready()
            tools = list(self._test_set.task.tools)
            found = self._guard.call(find_thinking, self._tokenizer_files(), tools, asked)
            self._thinking = Thinking.of(found) if found else None
        if self._thinking:
            self.settings["thinking"] = self._thinking.setting
        if self.thinks:
            self.settings["thinking_tokens"] = self._config.thinking_tokens or THINKING_TOKENS

    @property
    def thinks(self) -> bool:
        """Whether the model thinks, or may, in this run."""
        return self._thinking is not None and self._thinking.setting != OFF

    def _template_texts(self) -> Iterator[bytes]:
        files = (path for folder in self._template_folders() for name in _TEMPLATES for path in folder.glob(name))
        return (path.read_bytes() for path in files if path.is_file())

    def asks_for_day(self) -> bool:
        """Return whether the chat template does; its prompts are made for that only where its text says it may."""
        named = self._config.day is not None
        if any(may_ask_for_day(content, named=named) for content in self._template_texts()):
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
        day = self._day or date.today()
        if self._made_for == day:
            return
        pairs, named = self._test_set.pairs, self._config.day is not None
        self.get_ready()
        thinking = dict(self._thinking.variables if self._thinking else THINKING_OFF)
        calendar = Calendar(day, named=named)
        made: MadePrompts = self._guard.call(
            *(make_prompts, self._tokenizer_files(), self._test_set.task, pairs, calendar, thinking),
            seconds=_SECONDS_EACH * len(pairs),
        )
        self._made_for = day
        self._guard.close()
        self._asks = made["asks"]
        self.asked = {
            pair.id: Prompt(pair_id=pair.id, token_ids=tuple(ids), opened=opened)
            for pair, ids, opened in zip(pairs, made["prompts"], made["opened"], strict=True)
        }
        self.prompt_hashes = [prompt.sha256() for prompt in self.asked.values()]
        self.family = made["family"]
        self.details = {
            **made["form"],
            "system_sha256": hashlib.sha256(made["system"].encode()).hexdigest(),
            "family": self.family,
            "engine_defaults": _engine_defaults(self._checkpoint.weights, self._config.arithmetic),
            **({"replicas": self._config.replicas} if self._config.replicas > 1 else {}),
            **({"thinking_variables": thinking} if self._thinking else {}),
        }

    def _tokenizer_files(self) -> TokenizerFiles:
        trusted = self._config.trust_remote_code
        return TokenizerFiles(name=self.artifact.repo_id, folder=self._checkpoint.folder, trust_remote_code=trusted)

    def unaskable(self) -> list[Prediction]:
        """Return the pairs that are too long for the model's context, or have more calls than its notation holds."""
        why = {**_base.too_many_calls(self._test_set.pairs, self.family), **self._too_long()}
        sent = ((one.pair_id, one.sha256()) for one in self.asked.values() if one.pair_id in why)
        return [
            Prediction(pair_id=id, raw=None, finish_reason=NOT_ASKED, error=why[id], prompt_sha256=sha256)
            for id, sha256 in sent
        ]

    def _too_long(self) -> dict[str, str]:
        """Return why prompts that exceed the model's context with their longest answer cannot be asked."""
        context, answer = self._checkpoint.context, self._config.max_tokens
        return {
            prompt.pair_id: f"the prompt has {len(prompt.token_ids)} tokens and the answer may have {answer}, "
            f"but the model's context is {context}"
            for prompt in self.asked.values()
            if context is not None and len(prompt.token_ids) + answer > context
        }

    def _check_room(self) -> None:
        """Raise ModelError where not a single prompt can be asked: the engine need not even finish its start."""
        impossible = self.unaskable()
        if not self.asked or len(impossible) < len(self.asked):
            return
        if len(self._too_long()) < len(self.asked):
            why = f"the first because {impossible[0].error}; give a model whose notation holds several"
            raise ModelError(f"none of the {len(self.asked)} pairs can be asked of {self._checkpoint.artifact}, {why}")
        shortest = min(len(prompt.token_ids) for prompt in self.asked.values())
        raise ModelError(
            f"none of the {len(self.asked)} prompts fits into the context of {self._checkpoint.artifact}: "
            f"it has {self._checkpoint.context} tokens, the shortest prompt {shortest}, and the answer may have "
            f"{self._config.max_tokens}; lower --max-tokens, or give a model with a longer context"
        )

    @contextmanager
    def backend(self, log: Path) -> Iterator[Backend[Any]]:
        """Start the servers, or take the shared one; prompts are made, and scoring is imported, while they load."""
        with ExitStack() as stack:
            starts = self._engine is None or not self._engine.serves(self._checkpoint.artifact)
            if self._engine is None:
                servers = start_engines(self._checkpoint, engine_options(self._config), log, stack)
            else:
                servers = [self._engine.serve(self._checkpoint, log)]
            with progress("starting vLLM" if starts else "making prompts"):
                self._start(*servers)
            backends = [VllmBackend(server, self._asked(server), self._config.concurrency) for server in servers]
            lengths = {pair_id: len(prompt.token_ids) for pair_id, prompt in self.asked.items()}
            yield sharing_out(backends, self._test_set.pairs, lengths)

    def _asked(self, server: Server) -> Asked:
        asked = Asked(max_tokens=self._config.max_tokens, sampling=self._config.sampling, last=self.last)
        if self._thinking is None or not self.thinks:
            return asked
        known = [one for one in (self._checkpoint.context, server.context()) if one]
        limit, context = self.settings["thinking_tokens"], min(known, default=None)
        return replace(asked, thinking=ThinkingRoom(thinking=self._thinking, tokens=limit, context=context))

    def _start(self, *servers: Server) -> None:
        self.make_prompts()
        self._check_room()
        _import_meanwhile()
        if self._parser():
            self._reader.start("vllm.tool_parsers", *MODULES, torch=True)
        for server in servers:
            server.load()
        for server in servers:
            server.wait_until_ready()

    def second_reading(self, texts: Sequence[str]) -> tuple[str, list[Reading]] | None:
        """Return the reading by vLLM's parser for the model's family, where it has one."""
        try:
            parser = self._parser()
            return (parser, self._read(texts, parser)) if parser else None
        finally:
            self._reader.close()

    def _parser(self) -> str | None:
        """Return the name of vLLM's parser for the model's family."""
        return parsing.families()[self.family].vllm_parser if self.family else None

    def _read(self, texts: Sequence[str], parser: str) -> list[Reading]:
        self._reader.start("vllm.tool_parsers", *MODULES, torch=True)
        found = self._reader.call(
            *(second_reading, self._tokenizer_files(), list(texts), parser, self._test_set.task.tools),
            seconds=_SECONDS_PARSER + _SECONDS_EACH * len(texts),
        )
        every = (tuple(ToolCall(**call) for call in one["every"]) for one in found)
        return [
            Reading(call=calls[0] if calls else None, reason=one["reason"], calls=one["calls"], every=calls)
            for calls, one in zip(every, found, strict=True)
        ]


def engine_options(config: EvaluateConfig, *words: str) -> EngineOptions:
    """Return how an engine for an evaluation is started, with further argument words before those of the user."""
    return EngineOptions(
        extra_args=(*NO_TEMPLATE, *words, *config.asking.engine_args),
        trust_remote_code=config.trust_remote_code,
        arithmetic=config.arithmetic,
        replicas=config.replicas,
    )


def _engine_defaults(weights: int, arithmetic: Arithmetic | None) -> list[str]:
    arguments, environment = default_settings(weights, arithmetic)
    return [*arguments, *(f"{name}={value}" for name, value in environment.items())]


def _import_meanwhile() -> None:
    """Import what scoring will need while the engine loads, which leaves a core idle."""
    modules = ["openai", "scipy.stats", "rouge_score.rouge_scorer", "matplotlib.figure"]

    def work() -> None:
        for module in modules:
            with suppress(ImportError):  # raised again, and reported, where it is needed
                importlib.import_module(module)

    threading.Thread(target=work, daemon=True).start()
