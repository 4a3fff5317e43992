"""One step of a run: the request to a stage, and the command of `tft` that says the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from harness.benchmark.cells import Setup
from harness.hub.artifact import RepoKind
from harness.models.names import ModelName
from harness.models.roles import Roles


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stage: the request that makes a repository, and the equivalent command of `tft`."""

    stage: str
    """Its column in tables and its name for `--until` and `--jobs`."""
    module: str
    """Which stage of `harness.stages` gets the request."""
    words: tuple[str, ...]
    makes: str
    """Repository; of `evaluate` the model, whose result it is."""
    request: Mapping[str, Any] = field(default_factory=dict)
    """JSON values. Where it names a repository that another step makes, and the command too, its commit is meant."""
    needs: tuple[str, ...] = ()
    """Repositories that other steps make."""
    places: tuple[str, ...] = ()
    """More words of the command, which say where things are and what may be spent: they do not change what is made."""
    together: str | None = None
    """The base on whose engine it is evaluated: steps with the same one are run as one, see `joined`."""
    here: bool = False
    """Whether it runs on this machine whatever `--jobs` says: nothing of it needs other hardware."""

    @property
    def key(self) -> str:
        """The key of the step in a run: no two steps make the same thing in the same stage."""
        return f"{self.stage} {self.makes}"

    @property
    def kind(self) -> RepoKind:
        """What it makes, a model or a dataset."""
        return "model" if self.stage in ("student", "train", "evaluate") else "dataset"


class Said(NamedTuple):
    """A part of a command, and the equivalent fields of the request."""

    words: tuple[str, ...]
    fields: Mapping[str, Any]


def say_words(*words: object, **fields: Any) -> list[Said]:
    """Return words with their fields; nothing where a word is None: then the option is left out."""
    return [] if None in words else [Said(tuple(map(str, words)), fields)]


def make_step(setup: Setup, said: Sequence[Said], places: Sequence[Said] = (), **fields: Any) -> Step:
    """Return the step that some words say, `fields` being what they do not: `stage`, `makes`, `needs`."""
    request: dict[str, Any] = {}
    for one in (*said, *places):
        for key, value in one.fields.items():
            request[key] = {**request.get(key, {}), **value} if isinstance(value, Mapping) else value
    return Step(
        **{"module": fields["stage"], **fields},
        words=(*(word for one in said for word in one.words), "--json", "--namespace", setup.namespace),
        request=request,
        places=tuple(word for one in places for word in one.words),
    )


def judged_evaluation(
    setup: Setup,
    model: str,
    *,
    more: Sequence[Said] = (),
    max_tokens: int | None = None,
    asks: bool = False,
    needs: Sequence[str] = (),
) -> Step:
    """Return the step that evaluates a model on the run's test set, judged as the preset says.

    `asks`: whether the model is behind an endpoint, so that it needs the endpoints file and may cost something.
    """
    tokens = max_tokens or setup.preset.max_tokens
    judge = Roles.named(setup.preset.models).judge if setup.preset.judge else None
    said = [
        *say_words("evaluate", model, models=[model], namespace=setup.namespace),
        *say_words("--dataset", setup.test_set, dataset=setup.test_set),
        *say_words("--max-tokens", tokens, asking={"max_tokens": tokens}),
        *say_words("--models", judge and setup.preset.models, judging={"judges": [judge]}),
        *more,
    ]
    asking = [
        *say_words("--endpoints", (judge or asks or None) and setup.endpoints, asking={"endpoints": setup.endpoints}),
        *say_words("--budget", (judge or asks or None) and setup.budget, asking={"budget": setup.budget}),
    ]
    name = ModelName.parse(model)
    makes = name.repository or name.public
    return make_step(setup, said, asking, stage="evaluate", makes=makes, needs=(*needs, setup.test_set), here=asks)


def on_base(step: Step, base: str, needs: Sequence[str]) -> Step:
    """Return the evaluation of a model as that of its adapter on the base, which other adapters share."""
    verb, model, *rest = step.words
    words = (verb, base, "--adapters", model, *rest)
    return replace(
        step, words=words, request={**step.request, "base": base}, needs=(*step.needs, *needs), together=base
    )


def joined(steps: Sequence[Step]) -> Step:
    """Return the one evaluation that does the work of several with the same `together`.

    The base is asked last, on the adapters' engine; without an adapter its own evaluation is left as it is.
    """
    adapters = [step for step in steps if "base" in step.request]
    if len(steps) == 1 or not adapters:
        return steps[0]
    first, *others = adapters
    named = [word for step in others for word in step.words[2:4]]
    with_base = len(adapters) < len(steps)
    return replace(
        first,
        words=(*first.words[:4], *named, *(["--with-base"] if with_base else []), *first.words[4:]),
        request={
            **first.request,
            "models": [model for step in adapters for model in step.request["models"]],
            **({"with_base": True} if with_base else {}),
        },
        makes=str(first.together),
    )


def batches(steps: Sequence[Step]) -> list[tuple[Step, ...]]:
    """Return the steps in order, those that are run as one side by side, at the place of their last."""
    found: dict[str, tuple[Step, ...]] = {}
    for step in steps:
        name = step.together or step.key
        found[name] = (*found.pop(name, ()), step)
    return [*found.values()]
