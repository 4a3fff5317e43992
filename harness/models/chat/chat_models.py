"""From a model's name to its answers: an endpoint, or the harness's own vLLM server, started when it is needed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from harness.data.records import Usage
from harness.errors import UsageError
from harness.hub.address import hashed_address, public_address
from harness.hub.client import Hub
from harness.models.chat.budget import FREE, Budget, CostEstimate, Price, estimated_prompt
from harness.models.chat.cache import AnswerCache, Spending
from harness.models.chat.client import ask_all, usage_line
from harness.models.chat.endpoints import Endpoints, Limits
from harness.models.chat.records import ChatAnswer, ChatEndpoint, ChatRequest, ChatStats
from harness.models.engine.build import check_installed, engine_version, recorded_args
from harness.models.engine.checkpoint import Checkpoint, pull_checkpoint
from harness.models.engine.guard import Guard
from harness.models.engine.server import SERVED_NAME, EngineOptions, Server, SharedEngine
from harness.models.names import ModelName
from harness.models.prompts.make_prompts import MODULES, TokenizerFiles, try_tokenizer
from harness.terminal import progress, say

OnAnswer = Callable[[ChatAnswer], None]
CONCURRENCY = 32
TIMEOUT = 120.0
"""Seconds; what is not said on the command line or in the endpoints file."""

_STRUCTURED = ("--structured-outputs-config", json.dumps({"backend": "xgrammar", "disable_any_whitespace": True}))
"""Without the second, a small model fills its answer with spaces until it is cut."""
_OWN_ENGINE_SECONDS = 1800.0
"""Our own engine is slow where the machine is, but it does not lose questions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    """What the user chose about asking models, in any role."""

    endpoints: Endpoints = field(default_factory=Endpoints)
    concurrency: int | None = None
    """Most requests at once; never more than the endpoints file allows."""
    timeout: float | None = None
    """Seconds that one try may take; None: as the endpoints file says, else `usual_timeout`."""
    usual_timeout: float = TIMEOUT
    max_tokens: int | None = None
    """Longest answer; None: as long as the role's answers may be."""
    engine_args: tuple[str, ...] = ()
    """For the harness's own vLLM servers."""
    cache: Path | None = None
    """Folder of the answer cache; None: the user's own."""
    log: Path = Path("chat-engine.log")
    """Where the output of the harness's own engines goes."""
    budget: Budget | None = None
    """Shared by all models and roles of the run."""


class ChatModel:
    """A model that can be asked: what it is called, what decides about its answers, and `ask`."""

    name: str
    settings: dict[str, Any]
    """For the record; nothing secret."""
    identity: str
    """The model and all that decides how it answers, for the key of kept answers."""
    price: Price | None = None
    limits: Limits = Limits()

    def __init__(self, settings: ChatSettings) -> None:
        self._settings = settings

    def room(self, usual: int) -> int:
        """Return the longest answer in tokens, where a role would give it `usual` tokens of room."""
        wanted = self._settings.max_tokens or usual
        return min(wanted, self.limits.max_tokens or wanted)

    def ask(self, requests: Sequence[ChatRequest], on_answer: OnAnswer) -> ChatStats:
        """Ask what the cache does not hold; see `client.ask_all`. An engine stays until the models are closed.

        Raises EngineError, with the end of its log, where the harness's own engine has died.
        """
        with closing(AnswerCache.open(self._settings.cache)) as cache:
            endpoint = self.endpoint(missing=not all(cache.holds(self.identity, request) for request in requests))
            return asyncio.run(self._ask(requests, on_answer, endpoint, cache))

    async def _ask(
        self, requests: Sequence[ChatRequest], on_answer: OnAnswer, endpoint: ChatEndpoint, cache: AnswerCache
    ) -> ChatStats:
        stats = await ask_all(endpoint, requests, cache=cache, on_answer=on_answer, budget=self._settings.budget)
        say(usage_line(self.name, stats))
        self.check_alive()
        return stats

    def add_previous(self, requests: Sequence[ChatRequest]) -> None:
        """Count what earlier runs paid for requests of this one, whether they will be asked or not."""
        if self._settings.budget is None:
            return
        with closing(AnswerCache.open(self._settings.cache)) as cache:
            spending = Spending(self._settings.budget, self.price, cache, self.identity)
            for request in requests:
                spending.add_previous(request, cache.get(self.identity, request))

    def estimate(self, requests: Iterable[ChatRequest]) -> CostEstimate:
        """Return what asking would take; nothing is sent and no engine is started."""
        known, copies = 0, 0
        missing: dict[str, ChatRequest] = {}
        with closing(AnswerCache.open(self._settings.cache)) as cache:
            for request in requests:
                if cache.holds(self.identity, request):
                    known += 1
                elif request.sha256() in missing:
                    copies += 1
                else:
                    missing[request.sha256()] = request
        asked = missing.values()
        prompt = sum(estimated_prompt(one.texts()) for one in asked)
        usual = sum(min(one.max_tokens, one.usual_tokens or one.max_tokens) for one in asked)
        most = sum(one.max_tokens for one in asked)
        return CostEstimate(
            model=self.name,
            requests=len(missing) + known + copies,
            known=known,
            prompt_tokens=prompt,
            answer_tokens=usual,
            most_answer_tokens=most,
            cost=self.price.cost(Usage(prompt=prompt, completion=usual)) if self.price else None,
            most_cost=self.price.cost(Usage(prompt=prompt, completion=most)) if self.price else None,
        )

    def changes(self) -> frozenset[str]:
        """Return what the endpoint has refused and is sent otherwise, as far as it is known by now."""
        with closing(AnswerCache.open(self._settings.cache)) as cache:
            return cache.changes(self.identity)

    def endpoint(self, *, missing: bool) -> ChatEndpoint:
        """Return where it is asked; `missing` is false where all answers are known, so that nothing need run."""
        raise NotImplementedError

    def check_alive(self) -> None:
        """Raise EngineError where the engine that serves it has ended."""

    def _concurrency(self) -> int:
        wanted = self._settings.concurrency or CONCURRENCY
        return min(wanted, self.limits.concurrency or wanted)


class EndpointModel(ChatModel):
    """A model behind an OpenAI-compatible endpoint."""

    def __init__(self, name: ModelName, settings: ChatSettings) -> None:
        """Raises UsageError where nothing says where it is, or what it costs though there is a budget."""
        super().__init__(settings)
        self.name = str(name)
        self._address = settings.endpoints.address(name)
        self.price, self.limits = self._address.price, self._address.limits
        if settings.budget is not None and self.price is None:
            raise UsageError(
                f"{name} has no price, so that a budget cannot be kept: add `price: {{input: USD, output: USD}}` "
                "(per million tokens; 0 where it costs nothing) to its entry in --endpoints, or leave --budget out"
            )
        self.settings = {"model": self._address.model, "base_url": public_address(self._address.base_url)}
        self.identity = f"openai:{hashed_address(self._address.base_url)}:{self._address.model}"
        if parameters := self._address.parameters:
            self.settings["parameters"] = parameters
            self.identity += f":{json.dumps(parameters, sort_keys=True)}"
        self._rates = settings.endpoints.rates(self._address)

    def endpoint(self, *, missing: bool) -> ChatEndpoint:
        """Return the address and its limits."""
        del missing
        return ChatEndpoint(
            model=self._address.model,
            base_url=self._address.base_url,
            identity=self.identity,
            key_variable=self._address.key_variable,
            concurrency=self._concurrency(),
            timeout=self._settings.timeout or self.limits.timeout or self._settings.usual_timeout,
            context=self.limits.context,
            most_tokens=self.limits.max_tokens,
            parameters=self._address.parameters,
            price=self.price,
            rates=self._rates,
        )

    async def asking(self, requests: Sequence[ChatRequest], on_answer: OnAnswer) -> ChatStats:
        """See `ask`: on the event loop that runs, beside other endpoints."""
        with closing(AnswerCache.open(self._settings.cache)) as cache:
            return await self._ask(requests, on_answer, self.endpoint(missing=True), cache)


class VllmModel(ChatModel):
    """A model from the Hub, at one commit, behind the harness's own vLLM server."""

    price = FREE

    def __init__(self, name: ModelName, settings: ChatSettings, hub: Hub, engine: SharedEngine) -> None:
        super().__init__(settings)
        check_installed()
        self.artifact = hub.resolve("model", name.id, name.revision)
        self._hub = hub
        self._engine = engine
        self._checkpoint: Checkpoint | None = None
        self._tried = False
        self.name = f"vllm:{self.artifact.short}"
        self.settings = {
            "model": self.artifact.repo_id,
            "revision": self.artifact.revision,
            "engine": engine_version(),
            "engine_args": recorded_args(settings.engine_args),
        }
        self.identity = json.dumps(self.settings, sort_keys=True)

    def endpoint(self, *, missing: bool) -> ChatEndpoint:
        """Return our server's address, after starting it where something has to be asked."""
        server = self._server() if missing else None
        return ChatEndpoint(
            model=SERVED_NAME,
            base_url=server.url if server else "http://127.0.0.1:0/v1",
            key=server.key if server else None,
            identity=self.identity,
            concurrency=self._concurrency(),
            timeout=_OWN_ENGINE_SECONDS,
            most_tokens=self._checkpoint.context if self._checkpoint else None,
            price=FREE,
        )

    def _server(self) -> Server:
        if self._checkpoint is None:
            say(f"pulling {self.artifact}")
            self._checkpoint = pull_checkpoint(self._hub, self.artifact)
        server = self._engine.serve(self._checkpoint, self._settings.log)
        with progress(f"starting vLLM for {self.artifact.repo_id}"):
            self._try_tokenizer(self._checkpoint)
            server.wait_until_ready()
        return server

    def _try_tokenizer(self, checkpoint: Checkpoint) -> None:
        """Raise ModelError where the tokenizer or chat template fails or takes too much, before the engine has them."""
        if not self._tried:
            files = TokenizerFiles(name=self.artifact.repo_id, folder=checkpoint.folder)
            with Guard(self.artifact.repo_id) as guard:
                guard.start(*MODULES)
                guard.call(try_tokenizer, files)
            self._tried = True

    def check_alive(self) -> None:
        """See `ChatModel.check_alive`."""
        self._engine.check_alive()


class ChatModels:
    """The models of a run, by name. At the end of the block its engine is stopped."""

    def __init__(self, settings: ChatSettings, hub: Hub | None = None) -> None:
        """`hub` is needed for models on a Hub alone."""
        self.settings = settings
        self._hub = hub
        self._engine = SharedEngine(EngineOptions(extra_args=(*_STRUCTURED, *settings.engine_args)))
        self._models: dict[ModelName, ChatModel] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def model(self, name: ModelName | str) -> ChatModel:
        """Return the model of a name, the same one every time; UsageError for one that cannot be asked."""
        parsed = ModelName.parse(name) if isinstance(name, str) else name
        if parsed not in self._models:
            self._models[parsed] = self._open(parsed)
        return self._models[parsed]

    def _open(self, name: ModelName) -> ChatModel:
        if name.backend == "openai":
            return EndpointModel(name, self.settings)
        if name.backend == "vllm" and self._hub is not None:
            return VllmModel(name, self.settings, self._hub, self._engine)
        raise UsageError(f"{name} cannot be asked questions; name openai:ID, or a model on the Hub")

    def close(self) -> None:
        """Stop the engine, if one runs; asking again starts it again."""
        self._engine.close()
