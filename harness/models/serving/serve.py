"""From the name of a model to an endpoint that answers for it until it is told to stop."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.data.tasks import TestSet
from harness.errors import UsageError
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.hub.local_http import LOOPBACK, RequestRules, listen, serve_until_told
from harness.models.backends._adapters import Adapter, adapter_files, check_fit, lora_arguments, pull_adapter
from harness.models.backends._base import EvaluateConfig
from harness.models.backends.vllm import engine_options
from harness.models.engine.checkpoint import Checkpoint, pull_checkpoint
from harness.models.engine.server import Server, serving
from harness.models.names import ModelName
from harness.models.parsing.reading import families
from harness.models.prompts.make_prompts import TokenizerFiles
from harness.models.serving.app import BODY_LIMIT, ChatApp
from harness.models.serving.engine import KeptEngine
from harness.models.serving.rendering import PromptRenderer
from harness.models.serving.service import ChatService, ServedModel, TaskKnown
from harness.models.serving.tasks import served_task
from harness.secrets import SHORTEST, learn
from harness.terminal import say

CHILDREN = 4
"""Most processes that render prompts, where the machine has as many cores to spare."""
StartEngine = Callable[[Checkpoint, Sequence[str]], AbstractContextManager[Server]]
"""Starts an engine on a model, with further words of arguments, for a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How to serve."""

    model: str
    adapters: tuple[str, ...] = ()
    task: str | None = None
    """A task definition, a file or a test set on the Hub; None: what the lineage says, see `served_task`."""
    host: str = "127.0.0.1"
    port: int = 8000
    key: str | None = field(default=None, repr=False)
    allow_hosts: tuple[str, ...] = ()
    log: Path = Path("engine.log")
    config: EvaluateConfig = field(default_factory=EvaluateConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledModels:
    """What is served, all of it on this machine and checked."""

    base: Checkpoint
    adapters: tuple[Adapter, ...]
    test_set: TestSet | None
    """Where the task is that of a test set."""
    task: TaskKnown | None


class Endpoint:
    """An endpoint that is being served."""

    def __init__(self, options: ServeOptions, pulled: PulledModels, start: StartEngine | None = None) -> None:
        """`start` starts another engine than vLLM, for tests and measurements."""
        self.options = options
        self.pulled = pulled
        self.url = ""
        self.engine = KeptEngine(
            lambda: self._engine(start), meanwhile=self._prepare, ready=self._announce, ended=self.stop
        )
        self._ready: Callable[[Endpoint], object] = _announced
        self._http: Any = None
        trust, day = options.config.trust_remote_code, options.config.day
        base = TokenizerFiles(name=pulled.base.artifact.repo_id, folder=pulled.base.folder, trust_remote_code=trust)
        children = _children(1 + len(pulled.adapters))
        self.models = [
            ServedModel(artifact=pulled.base.artifact, adapter=None, renderer=PromptRenderer(base, day, children))
        ]
        self.models += [
            ServedModel(
                artifact=adapter.artifact,
                adapter=str(adapter.artifact),
                renderer=PromptRenderer(_files_of(adapter, base, pulled.base.artifact), day, children),
            )
            for adapter in pulled.adapters
        ]

    def run(self, ready: Callable[[Endpoint], object] | None = None) -> None:
        """Serve until Ctrl-C or SIGTERM, or until `stop`; `ready` is called, in a thread, when the engine answers.

        Raises UsageError where the port is taken, ModelError where a chat template cannot be used, and EngineError
        where the engine does not start, or has died twice.
        """
        options = self.options
        self._ready = ready or _announced
        service = ChatService(self.models, self.engine, self.pulled.task, max_tokens=options.config.max_tokens)
        rules = RequestRules("endpoint", options.host, options.allow_hosts, body_limit=BODY_LIMIT)
        with listen(options.host, options.port) as listener:
            number = listener.getsockname()[1]
            host = "127.0.0.1" if options.host in ("0.0.0.0", "::") else options.host  # noqa: S104 -- as asked for
            self.url = f"http://{f'[{host}]' if ':' in host else host}:{number}/v1"
            try:
                self.engine.start()
                serve_until_told(ChatApp(service, rules, options.key), listener, self._serves, self.engine.close)
            finally:
                self.engine.stop()
                for model in self.models:
                    model.renderer.close()
        if self.engine.failure is not None:
            raise self.engine.failure

    @property
    def serves(self) -> bool:
        """Whether its address answers, and is not about to end."""
        return self._http is not None and not self._http.should_exit

    def stop(self) -> None:
        """End `run`."""
        if self._http is not None:
            self._http.should_exit = True

    def _serves(self, http: Any) -> None:
        self._http = http
        if self.engine.failure is not None:
            self.stop()

    def _prepare(self) -> None:
        """Start the children that render, and choose the form of the task, while the engine loads."""
        families()  # whose modules the first answer would have to wait for
        for model in self.models:
            model.renderer.start()
        if self.pulled.task is not None:
            for model in self.models:
                model.renderer.prepare(self.pulled.task.served)

    def _engine(self, start: StartEngine | None) -> AbstractContextManager[Server]:
        words = lora_arguments(self.pulled.adapters) if self.pulled.adapters else ()
        if start is not None:
            return start(self.pulled.base, words)
        return serving(self.pulled.base, engine_options(self.options.config, *words), self.options.log)

    def _announce(self) -> None:
        self._ready(self)


def _children(models: int) -> int:
    """Return how many children render the prompts of each model: few take a prompt long, and each takes memory."""
    return max(1, min(CHILDREN, (os.cpu_count() or 1) // 2) // models)


def _files_of(adapter: Adapter, base: TokenizerFiles, artifact: Artifact) -> TokenizerFiles:
    return adapter_files(adapter, replace(base, name=adapter.artifact.repo_id), artifact)


def _announced(endpoint: Endpoint) -> None:
    names = ", ".join(model.names[0] for model in endpoint.models)
    say(f"{names} at {endpoint.url} (engine log: {endpoint.options.log})")


def pull(options: ServeOptions, hub: Hub) -> PulledModels:
    """Check the options, and pull and check what is to be served.

    Raises UsageError, HubError, DataError or ModelError with what cannot be served.
    """
    _check(options)
    name = ModelName.parse(options.model)
    adapters = [ModelName.parse(one) for one in options.adapters]
    others = [str(one) for one in (name, *adapters) if one.backend != "vllm"]
    if others:
        raise UsageError(f"{others[0]} is on no Hub; tft serve starts vLLM on a repository, owner/name[@revision]")
    artifacts = [hub.resolve("model", one.id, one.revision) for one in adapters]
    if len({one.repo_id for one in artifacts}) < len(artifacts):
        raise UsageError("an adapter is named twice, and requests choose by name; name each once")
    origin = hub.resolve("model", name.id, name.revision)
    test_set, task = served_task(options.task, (origin, *artifacts), hub)
    pulled = [pull_adapter(hub, artifact) for artifact in artifacts]
    say(f"pulling {origin}")
    base = pull_checkpoint(hub, origin, trust_remote_code=options.config.trust_remote_code)
    for adapter in pulled:
        check_fit(adapter, base)
    return PulledModels(base=base, adapters=tuple(pulled), test_set=test_set, task=task)


def _check(options: ServeOptions) -> None:
    if options.key is not None:
        learn(options.key, "the key of the endpoint")
        if len(options.key) < SHORTEST:
            raise UsageError(
                f"the key of --api-key has fewer than {SHORTEST} characters and can be guessed; give a longer one"
            )
    elif options.host not in LOOPBACK:
        raise UsageError(
            f"{options.host} can be reached by other machines; give a key with --api-key, better in the variable "
            "TFT_SERVE_API_KEY, which others do not see"
        )
