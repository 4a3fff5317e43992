"""Where endpoints are, what they cost and what they allow: one address, or a file with an entry per model."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from harness.data.formats.yaml_lines import Lines, read_model
from harness.errors import DataError, UsageError
from harness.hub.address import check_address
from harness.models.chat.budget import Price
from harness.models.chat.limiter import Rates
from harness.models.names import ModelName
from harness.secrets import learn_named, learn_variable

DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY"
_EXAMPLE = "model-id: {base_url: https://host/v1, key_variable: HOST_KEY}"
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


class _Entry(BaseModel):
    """A mapping of the file: each value has the type that it should have, and a key is known or refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_empty(cls, values: Any) -> Any:
        """A key with nothing behind it is a value that was forgotten, not one that is unlimited or unknown."""
        empty = [key for key, value in values.items() if value is None] if isinstance(values, dict) else []
        if empty:
            raise ValueError(f"{empty[0]} has no value; give it one, or leave the key out")
        return values


class Limits(_Entry):
    """What an endpoint allows; None where it is not said."""

    concurrency: PositiveInt | None = None
    """Most requests at once."""
    requests_per_minute: PositiveInt | None = None
    tokens_per_minute: PositiveInt | None = None
    """Prompts and answers together."""
    max_tokens: PositiveInt | None = None
    """Longest answer."""
    timeout: PositiveFloat | None = None
    """Seconds that one try may take."""
    context: PositiveInt | None = None
    """Most tokens of prompt and answer together."""


class Address(_Entry):
    """Where one model is asked, under which name, and which variable holds the key."""

    model: str = ""
    """The name by which the endpoint knows it, by default the key of its entry."""
    base_url: str = Field(min_length=1)
    key_variable: str = DEFAULT_KEY_VARIABLE
    price: Price | None = None
    """Input and output, USD per million tokens."""
    limits: Limits = Field(default_factory=Limits)
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Fields of every request, in a mapping such as {temperature: null, reasoning_effort: low}; null leaves one out."""


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
            return listed.model_copy(update={"key_variable": self.key_variable}) if own_key else listed
        if not self.base_url:
            raise UsageError(
                f"{name} needs the base URL of its endpoint: add --base-url (for a judge --judge-base-url), such as "
                f"http://host/v1, or --endpoints with a file that has a line such as `{_EXAMPLE}`"
            )
        check_address(self.base_url, "the base URL")
        found = Address(model=name.id, base_url=self.base_url, key_variable=self.key_variable)
        if listed is None:
            return found
        return listed.model_copy(update=found.model_dump(include={"model", "base_url", "key_variable"}))


def _read(path: Path) -> dict[str, Address]:
    entries, lines = read_model(path, dict[str, Address], _EXAMPLE)
    for model, entry in entries.items():
        learn_variable(entry.key_variable)
        learn_named(entry.parameters)
        check_address(entry.base_url, f"{path}, line {lines[(model, 'base_url')]}, {model}")
        _check_parameters(path, lines, model, entry.parameters)
    return {model: entry.model_copy(update={"model": entry.model or model}) for model, entry in entries.items()}


def _check_parameters(path: Path, lines: Lines, model: str, parameters: dict[str, Any]) -> None:
    for name, value in parameters.items():
        line = lines[(model, "parameters", name)]
        if name in _NOT_PARAMETERS and not (value is None and name in _MAY_BE_NULL):
            allowed = "; null leaves it out" if name in _MAY_BE_NULL else ""
            reason = f"{_NOT_PARAMETERS[name]}{allowed}"
            raise DataError.at(path, line, f"{name} cannot be given to {model} as a parameter: {reason}")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise DataError.at(path, line, f"the parameter {name} of {model} is not a JSON value ({error})") from error
