"""Where endpoints are: one address from the command line, or a file with one for each model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError, UsageError
from harness.hub import check_address
from harness.models import ModelName

DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY"
_EXAMPLE = "model-id: {base_url: https://host/v1, key_variable: HOST_KEY}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where one model is asked, under which name, and which variable holds the key."""

    model: str
    base_url: str
    key_variable: str = DEFAULT_KEY_VARIABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """What the user said about endpoints; keys themselves stay in the environment."""

    base_url: str | None = None
    """For every model that the file does not list."""
    key_variable: str = DEFAULT_KEY_VARIABLE
    file: Path | None = None
    """YAML, model id -> `base_url`, optionally `key_variable` and `model` (the endpoint's own name for it)."""

    def address(self, name: ModelName) -> Address:
        """Return where `name` is asked; UsageError or DataError where that is not said or cannot be read."""
        listed = _read(self.file).get(name.id) if self.file else None
        if listed:
            return listed
        if not self.base_url:
            raise UsageError(
                f"{name} needs the address of its endpoint: give its base URL, for example http://host/v1, "
                f"or a file of endpoints with a line such as `{_EXAMPLE}`"
            )
        check_address(self.base_url, "the base URL")
        return Address(model=name.id, base_url=self.base_url, key_variable=self.key_variable)


def _read(path: Path) -> dict[str, Address]:
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(f"cannot read the endpoints in {path} ({error}); expected YAML, `{_EXAMPLE}`") from error
    if not isinstance(document, dict):
        raise DataError(f"{path} holds no endpoints; expected `{_EXAMPLE}`")
    return {str(model): _address(path, str(model), entry) for model, entry in document.items()}


def _address(path: Path, model: str, entry: object) -> Address:
    known = {"base_url", "key_variable", "model"}
    if not isinstance(entry, dict) or not isinstance(entry.get("base_url"), str) or entry.keys() - known:
        raise DataError(f"{path}: the entry of {model} should hold base_url, and may hold key_variable and model")
    check_address(entry["base_url"], f"{path}, {model}")
    return Address(
        model=str(entry.get("model", model)),
        base_url=entry["base_url"],
        key_variable=str(entry.get("key_variable", DEFAULT_KEY_VARIABLE)),
    )
