"""Where endpoints are, what they cost and how much they take: one address, or a file with an entry for each model."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.data.formats.yaml_lines import Lines, read_mapping, refuse_unknown
from harness.errors import DataError, UsageError
from harness.hub.address import check_address
from harness.models.chat.budget import Price
from harness.models.chat.limiter import Rates
from harness.models.names import ModelName
from harness.secrets import learn_named, learn_variable

DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY"
_EXAMPLE = "model-id: {base_url: https://host/v1, key_variable: HOST_KEY}"
_KEYS = ("base_url", "key_variable", "model", "price", "limits", "parameters")
_NOT_PARAMETERS = {
    "model": "the key model says under which name the endpoint knows it",
    "messages": "prompts are the harness's own",
    "tools": "they are the task's own",
    "stream": "answers are taken whole",
    "n": "there is one answer to a question",
    "max_tokens": "limits: {max_tokens: N} or --max-tokens say how long an answer may be",
    "max_completion_tokens": "limits: {max_tokens: N} or --max-tokens say how long an answer may be",
    "response_format": "the schema of an answer is its role's",
}
_MAY_BE_NULL = ("max_tokens", "max_completion_tokens", "response_format")
"""Of those above: what can be left out."""
_PRICES = ("input", "output")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an endpoint takes; None where it is not said."""

    concurrency: int | None = None
    """Most requests at once."""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    """Prompts and answers together."""
    max_tokens: int | None = None
    """Longest answer."""
    timeout: float | None = None
    """Seconds that one try may take."""
    context: int | None = None
    """Most tokens of prompt and answer together."""


_LIMITS = tuple(Limits.__dataclass_fields__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where one model is asked, under which name, and which variable holds the key."""

    model: str
    base_url: str
    key_variable: str = DEFAULT_KEY_VARIABLE
    price: Price | None = None
    """None where it is not said."""
    limits: Limits = field(default_factory=Limits)
    parameters: dict[str, Any] = field(default_factory=dict)
    """Further fields of every request; None leaves a field out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """What the user said about endpoints; keys themselves stay in the environment."""

    base_url: str | None = None
    """For every model that the file does not list."""
    key_variable: str = DEFAULT_KEY_VARIABLE
    file: Path | None = None
    """YAML, model id -> `base_url`; optionally `key_variable`, `model` (the endpoint's own name for it), `price`
    (`input` and `output`, USD per million tokens), `limits` (see `Limits`) and `parameters` (fields of every request;
    null leaves one out)."""
    direct: bool = False
    """Whether `base_url` and `key_variable` hold for the models that the file lists, too."""
    shared: dict[tuple[str, str, Limits], Rates] = field(default_factory=dict, compare=False, repr=False)
    """What was sent lately, by address, model and limits; the same for all that may ask one endpoint."""

    def rates(self, address: Address) -> Rates | None:
        """Return the record by which all who ask a model there keep its limits per minute; None where it has none."""
        limits = address.limits
        if not (limits.requests_per_minute or limits.tokens_per_minute):
            return None
        fresh = Rates(limits.requests_per_minute, limits.tokens_per_minute)
        return self.shared.setdefault((address.base_url, address.model, limits), fresh)

    def address(self, name: ModelName) -> Address:
        """Return where `name` is asked; UsageError or DataError where that is not said or cannot be read."""
        learn_variable(self.key_variable)
        listed = _read(self.file).get(name.id) if self.file else None
        if listed and not (self.direct and self.base_url):
            own_key = self.direct and self.key_variable != DEFAULT_KEY_VARIABLE
            return replace(listed, key_variable=self.key_variable) if own_key else listed
        if not self.base_url:
            raise UsageError(
                f"{name} needs the base URL of its endpoint: add --base-url (for a judge --judge-base-url), such as "
                f"http://host/v1, or --endpoints with a file that has a line such as `{_EXAMPLE}`"
            )
        check_address(self.base_url, "the base URL")
        found = Address(model=name.id, base_url=self.base_url, key_variable=self.key_variable)
        if listed is None:
            return found
        return replace(found, price=listed.price, limits=listed.limits, parameters=listed.parameters)


def _read(path: Path) -> dict[str, Address]:
    document, lines = read_mapping(path, _EXAMPLE)
    return {model: _address(path, lines, model, entry) for model, entry in document.items()}


def _address(path: Path, lines: Lines, model: str, entry: object) -> Address:
    known = refuse_unknown(path, lines, (model,), entry, _KEYS)
    for key in ("base_url", "key_variable", "model"):
        if not isinstance(known.get(key, ""), str):
            raise DataError.at(path, lines[(model, key)], f"the {key} of {model} should be a text")
    if not known.get("base_url"):
        raise DataError.at(path, lines[(model,)], f"{model} has no base_url; expected `{_EXAMPLE}`")
    learn_variable(known.get("key_variable", DEFAULT_KEY_VARIABLE))
    learn_named(known.get("parameters"))
    check_address(known["base_url"], f"{path}, line {lines[(model, 'base_url')]}, {model}")
    return Address(
        model=known.get("model", model),
        base_url=known["base_url"],
        key_variable=known.get("key_variable", DEFAULT_KEY_VARIABLE),
        price=_price(path, lines, model, known["price"]) if "price" in known else None,
        limits=_limits(path, lines, model, known.get("limits", {})),
        parameters=_parameters(path, lines, model, known.get("parameters", {})),
    )


def _price(path: Path, lines: Lines, model: str, entry: object) -> Price:
    keys = (model, "price")
    price = refuse_unknown(path, lines, keys, entry, _PRICES)
    if price.keys() != set(_PRICES):
        raise DataError.at(
            path, lines[keys], f"the price of {model} should hold input and output, USD a million tokens"
        )
    for key, value in price.items():
        if not _is_number(value) or value < 0:
            raise DataError.at(
                path, lines[(*keys, key)], f"the price {key} of {model} is {value!r}; expected USD, >= 0"
            )
    return Price(input=float(price["input"]), output=float(price["output"]))


def _limits(path: Path, lines: Lines, model: str, entry: object) -> Limits:
    limits = refuse_unknown(path, lines, (model, "limits"), entry, _LIMITS)
    for key, value in limits.items():
        wanted = _is_number(value) if key == "timeout" else isinstance(value, int) and not isinstance(value, bool)
        if not wanted or value <= 0:
            kind = "seconds" if key == "timeout" else "a whole number"
            problem = f"the limit {key} of {model} is {value!r}; expected {kind} over 0"
            raise DataError.at(path, lines[(model, "limits", key)], problem)
    return Limits(**limits)


def _parameters(path: Path, lines: Lines, model: str, entry: object) -> dict[str, Any]:
    if not isinstance(entry, dict):
        expected = "a mapping such as {temperature: null, reasoning_effort: low}"
        raise DataError.at(path, lines[(model, "parameters")], f"the parameters of {model} should be {expected}")
    for name, value in entry.items():
        line = lines[(model, "parameters", name)]
        if name in _NOT_PARAMETERS and not (value is None and name in _MAY_BE_NULL):
            allowed = "; null leaves it out" if name in _MAY_BE_NULL else ""
            reason = f"{_NOT_PARAMETERS[name]}{allowed}"
            raise DataError.at(path, line, f"{name} is no parameter that {model} can be given: {reason}")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise DataError.at(path, line, f"the parameter {name} of {model} is no JSON value ({error})") from error
    return entry


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
