"""Other names for the tools and parameters of any task, as a drifted schema might have them. Deterministic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from harness import resources
from harness.data.tools import Toolbox

FUNCTION_NAMES, PARAMETER_NAMES = 6, 4
"""Alternatives of one name, as many as in the published scenario."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Synonyms:
    """Tool or parameter -> its alternatives. No alternative is a name that the task has itself."""

    functions: Mapping[str, tuple[str, ...]]
    parameters: Mapping[str, tuple[str, ...]]


def drifted_names(toolbox: Toolbox) -> Synonyms:
    """Return the alternatives for everything in a task, from `datasets/synonyms.yaml` and changes of style."""
    words = _words()
    reply = toolbox.reply
    parameters = [name for tool in toolbox.services for name in toolbox.parameters(tool)]
    taken = {*toolbox.names, *parameters, reply.argument}
    functions = {name: _first(_functions(name), FUNCTION_NAMES, taken) for name in toolbox.services} | {
        reply.tool: _first(words["reply_tools"], FUNCTION_NAMES, taken)
    }
    arguments = {name: _first(_parameters(name), PARAMETER_NAMES, taken) for name in dict.fromkeys(parameters)}
    arguments[reply.argument] = _first(words["reply_arguments"], PARAMETER_NAMES, taken)
    return Synonyms(functions=functions, parameters=arguments)


@cache
def _words() -> dict[str, Any]:
    path = resources.folder("datasets") / "synonyms.yaml"
    loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    for kind in ("verbs", "nouns"):
        loaded[kind] = {word: others for word, *others in loaded[kind]}
    return dict(loaded)


def split_words(name: str) -> list[str]:
    """Return the words of a name in lower case, in any style: snake, camel, kebab."""
    return [word.lower() for word in _WORD.findall(name)] or [name.lower()]


def _first(candidates: Iterable[str], count: int, taken: set[str]) -> tuple[str, ...]:
    return tuple(list(dict.fromkeys(name for name in candidates if name not in taken))[:count])


def _functions(name: str) -> Iterable[str]:
    """Yield names in falling order of use: another verb, another style, another order, another noun."""
    verb, *rest = split_words(name)
    verbs = _words()["verbs"].get(verb, ("do", "run", "perform", "execute"))
    objects = rest or [verb]
    yield _snake([verbs[0], *objects])
    yield _camel([verbs[1], *objects])
    yield _snake([*objects, verbs[2]])
    yield _snake([verbs[1], *_renamed(objects, 0)])
    yield _camel([verbs[-1], *_renamed(objects, 1)])
    yield _snake([verbs[0], *_shortened(objects)])
    yield _snake([verb, *rest])
    yield f"{_snake(objects)}_request"
    yield f"{_camel([verb, *rest])}V2"


def _parameters(name: str) -> Iterable[str]:
    words = split_words(name)
    last = [*words[:-1], *_renamed(words[-1:], 0)]
    yield _snake(last)
    if len(words) > 1:
        yield _camel(words)
    yield _snake(_shortened(words))
    if len(words) == 2:
        yield f"{words[1]}_of_{words[0]}"
    yield _snake(_renamed(words, 1))
    yield f"{_snake(last)}_value"
    yield f"requested_{_snake(words)}"
    yield f"{_snake(words)}_field"


def _renamed(words: Sequence[str], place: int) -> list[str]:
    nouns = _words()["nouns"]
    return [nouns[word][place] if word in nouns else word for word in words]


def _shortened(words: Sequence[str]) -> list[str]:
    abbreviations = _words()["abbreviations"]
    return [abbreviations.get(word, word) for word in words]


def _snake(words: Sequence[str]) -> str:
    return "_".join(words)


def _camel(words: Sequence[str]) -> str:
    return words[0] + "".join(word.capitalize() for word in words[1:])
