"""The judges: rules, an endpoint, or a checkpoint behind our own vLLM server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.errors import UsageError
from harness.hub import Hub
from harness.judging.prompt import JudgePrompt
from harness.judging.verdict import parse_verdict
from harness.models import ModelName
from harness.models.answer_cache import AnswerCache
from harness.models.chat import ChatAnswer, ChatEndpoint, ChatRequest, ChatStats, ask_all
from harness.models.endpoints import Endpoints
from harness.records import Case, Task, Vote
from harness.runs import JUDGE_LOG
from harness.terminal import say

MAX_TOKENS = 1024
"""Longest verdict, its reasoning included."""

_STRUCTURED = {"backend": "xgrammar", "disable_any_whitespace": True}
"""Without the second, a small model fills its answer with spaces until it is cut."""

_OWN_ENGINE_SECONDS = 1800.0
"""Our own engine is slow where the machine is, but it does not lose questions."""

OnVote = Callable[[Vote], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeConfig:
    """What the user chose about judging."""

    judges: tuple[str, ...]
    """Names as on the command line: `rules:judge`, `openai:ID`, or a model on the Hub."""
    ask_everything: bool = False
    """Also ask what code can decide."""
    baselines: bool = True
    """Also judge the null baselines."""
    endpoints: Endpoints = field(default_factory=Endpoints)
    concurrency: int = 32
    engine_args: tuple[str, ...] = ()
    max_tokens: int = MAX_TOKENS
    timeout: float = 120.0
    """Seconds that one try of a question may take."""
    cache: Path | None = None
    """Folder of the answer cache; None: the user's own."""
    log: Path | None = None
    """Where the output of a judge's engine goes."""
    labels: Path | None = None
    """File of rows with labels, to say how far the judge can be trusted."""
    label_column: str = "label"


class Judge(Protocol):
    """Somebody who gives one vote on every case."""

    @property
    def name(self) -> str:
        """The judge as votes and reports name it."""

    @property
    def settings(self) -> dict[str, Any]:
        """What decides about its votes, for the record."""

    def vote(self, cases: Sequence[Case], on_vote: OnVote) -> None:
        """Call `on_vote` once for each case. Raises HarnessError where nobody can be asked."""


def make_judges(config: JudgeConfig, task: Task | None, hub: Hub | None) -> list[Judge]:
    """Return the judges that the configuration names; UsageError for a name twice or one that cannot judge."""
    if len(set(config.judges)) < len(config.judges):
        raise UsageError("a judge is named twice; a panel needs different ones")
    prompt = JudgePrompt(task)
    return [_judge(ModelName.parse(name), config, prompt, task, hub) for name in config.judges]


def _judge(name: ModelName, config: JudgeConfig, prompt: JudgePrompt, task: Task | None, hub: Hub | None) -> Judge:
    if name.backend == "rules":
        if name.id != "judge":
            raise UsageError(f"no judge {name}; the rule-based one is rules:judge")
        return RulesJudge(task)
    if name.backend == "openai":
        return EndpointJudge(name, config, prompt)
    if name.backend == "vllm" and hub is not None:
        return VllmJudge(name, config, prompt, hub)
    raise UsageError(f"{name} cannot judge; name rules:judge, openai:ID, or a model on the Hub")


class RulesJudge:
    """The rubric as code."""

    name = "rules:judge"

    def __init__(self, task: Task | None) -> None:
        from harness.rules.judge import settings

        self.settings = settings()
        self._task = task

    def vote(self, cases: Sequence[Case], on_vote: OnVote) -> None:
        """Judge every case; nothing is asked."""
        from harness.rules.judge import judge

        for case in cases:
            on_vote(judge(case, self._task))


class _PromptedJudge:
    """A judge that is a language model."""

    name: str

    def __init__(self, config: JudgeConfig, prompt: JudgePrompt) -> None:
        self._config = config
        self._prompt = prompt

    def vote(self, cases: Sequence[Case], on_vote: OnVote) -> None:
        """Ask for every case whose answer is not in the cache."""
        cache = AnswerCache.open(self._config.cache)

        def keep(answer: ChatAnswer) -> None:
            on_vote(self._vote(answer))

        try:
            requests = [self._request(case) for case in cases]
            with self._endpoint(requests, cache) as endpoint:
                stats = asyncio.run(ask_all(endpoint, requests, check=_check, cache=cache, on_answer=keep))
            say(_effort(self.name, stats))
        finally:
            cache.close()

    @contextmanager
    def _endpoint(self, requests: Sequence[ChatRequest], cache: AnswerCache) -> Iterator[ChatEndpoint]:
        del requests, cache
        raise NotImplementedError
        yield

    def _request(self, case: Case) -> ChatRequest:
        return ChatRequest(
            id=case.id,
            messages=self._prompt.messages(case),
            schema=self._prompt.schema,
            max_tokens=self._config.max_tokens,
        )

    def _vote(self, answer: ChatAnswer) -> Vote:
        if answer.text is None:
            tries = f" after {answer.attempts} tries" if answer.attempts > 1 else ""
            reason = f"no usable verdict{tries}: {answer.error}"
            return Vote(case_id=answer.id, judge=self.name, value=None, reason=reason)
        value, reason = parse_verdict(answer.text)
        return Vote(case_id=answer.id, judge=self.name, value=value, reason=reason)


def _check(text: str) -> None:
    parse_verdict(text)


def _effort(name: str, stats: ChatStats) -> str:
    """Return what a judge took, in a line."""
    parts = [f"{name}: {stats.asked} questions sent, {stats.cached} answers known already"]
    if stats.failures:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(stats.failures.items()))
        parts.append(f"{sum(stats.failures.values())} tries failed ({kinds})")
    if stats.unanswered:
        parts.append(f"{stats.unanswered} stay without a verdict")
    parts.append(f"{stats.usage.prompt:,} prompt and {stats.usage.completion:,} answer tokens")
    return "; ".join(parts)


class EndpointJudge(_PromptedJudge):
    """A judge behind an OpenAI-compatible endpoint."""

    def __init__(self, name: ModelName, config: JudgeConfig, prompt: JudgePrompt) -> None:
        super().__init__(config, prompt)
        self.name = str(name)
        self._address = config.endpoints.address(name)
        self.settings = {"model": self._address.model, "base_url": self._address.base_url}

    @contextmanager
    def _endpoint(self, requests: Sequence[ChatRequest], cache: AnswerCache) -> Iterator[ChatEndpoint]:
        del requests, cache
        yield ChatEndpoint(
            model=self._address.model,
            base_url=self._address.base_url,
            identity=f"openai:{self._address.base_url}:{self._address.model}",
            key_variable=self._address.key_variable,
            concurrency=self._config.concurrency,
            timeout=self._config.timeout,
        )


class VllmJudge(_PromptedJudge):
    """A judge from the Hub, at one commit, behind a vLLM server that is started where something has to be asked."""

    def __init__(self, name: ModelName, config: JudgeConfig, prompt: JudgePrompt, hub: Hub) -> None:
        from harness.models.engine import check_installed, engine_version

        super().__init__(config, prompt)
        check_installed()
        self._artifact = hub.resolve("model", name.id, name.revision)
        self._hub = hub
        self.name = f"vllm:{self._artifact.repo_id}@{self._artifact.revision[:12]}"
        self.settings = {
            "model": self._artifact.repo_id,
            "revision": self._artifact.revision,
            "engine": engine_version(),
            "engine_args": list(config.engine_args),
        }

    @contextmanager
    def _endpoint(self, requests: Sequence[ChatRequest], cache: AnswerCache) -> Iterator[ChatEndpoint]:
        from harness.models.checkpoint import pull_checkpoint
        from harness.models.engine import SERVED_NAME, EngineOptions, serving

        identity = json.dumps(self.settings, sort_keys=True)
        known = ChatEndpoint(model=SERVED_NAME, base_url="http://127.0.0.1:0/v1", identity=identity)
        if all(cache.holds(identity, request, _check) for request in requests):
            yield known
            return
        say(f"pulling {self._artifact}")
        checkpoint = pull_checkpoint(self._hub, self._artifact)
        options = EngineOptions(
            extra_args=("--structured-outputs-config", json.dumps(_STRUCTURED), *self._config.engine_args)
        )
        with ExitStack() as stack:
            server = stack.enter_context(serving(checkpoint, options, self._config.log or Path(JUDGE_LOG)))
            server.wait_until_ready()
            yield ChatEndpoint(
                model=SERVED_NAME,
                base_url=server.url,
                identity=identity,
                concurrency=self._config.concurrency,
                timeout=_OWN_ENGINE_SECONDS,
            )
            server.check_alive()
            server.begin_stop()
