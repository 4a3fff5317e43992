"""Which model plays which role: the rule-based stand-ins, the published models, or what a file says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from harness.data.formats.yaml_lines import read_model
from harness.errors import UsageError
from harness.models.names import ModelName

NAMED = ("rules", "published")
_EXAMPLE = "judge: rules:judge, teacher: openai:ID, committee: [openai:ID, org/model], arbiter: openai:ID"


class Roles(BaseModel):
    """A model for each role, by name (`backend:id[@revision]`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    judge: str
    teacher: str
    """Writes synthetic conversations."""
    committee: tuple[str, ...] = Field(min_length=1)
    """Rewrite the assistant's turns, each on its own."""
    arbiter: str
    """Decides where the committee does not agree."""
    filter: str = ""
    """Rates relevance and coherence; the teacher where nothing is said."""

    @model_validator(mode="before")
    @classmethod
    def _let_the_teacher_rate(cls, values: Any) -> Any:
        return {"filter": values["teacher"], **values} if isinstance(values, dict) and "teacher" in values else values

    @field_validator("*")
    @classmethod
    def _check_names(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        names = (value,) if isinstance(value, str) else value
        if len(set(names)) < len(names):
            raise ValueError("a member of the committee is named twice; its votes would count twice")
        for name in names:
            try:
                backend = ModelName.parse(name).backend
            except UsageError as error:
                raise ValueError(str(error)) from error
            if backend == "replay":
                raise ValueError(f"{name} cannot play a role: recorded answers answer one test set; name a model")
        return value

    @classmethod
    def named(cls, choice: str) -> Roles:
        """Return `rules`, `published`, or what a YAML file says.

        Raises UsageError for another word, DataError (with the line) for a file that is not as expected.
        """
        if choice in NAMED:
            return {"rules": RULES, "published": PUBLISHED}[choice]
        path = Path(choice)
        if not path.is_file():
            raise UsageError(f"no models {choice!r}: expected {', '.join(NAMED)}, or a YAML file, `{_EXAMPLE}`")
        roles: Roles = read_model(path, Roles, _EXAMPLE)[0]
        return roles

    def changed(
        self, *, teacher: str | None = None, committee: tuple[str, ...] = (), arbiter: str | None = None
    ) -> Roles:
        """Return the roles with single ones replaced; a new teacher also rates, as the published one does."""
        wanted = {"teacher": teacher, "filter": teacher, "committee": committee, "arbiter": arbiter}
        try:
            return Roles(**{**self.model_dump(), **{role: names for role, names in wanted.items() if names}})
        except ValidationError as error:
            first = error.errors()[0]
            raise UsageError(f"{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}") from error


RULES = Roles(
    judge="rules:judge",
    teacher="rules:teacher",
    committee=("rules:labeler-state", "rules:labeler-neighbour"),
    arbiter="rules:arbiter",
    filter="rules:teacher",
)
PUBLISHED = Roles(
    judge="openai:openai.gpt-oss-120b",
    teacher="openai:zai.glm-5",
    committee=("openai:openai.gpt-oss-120b", "openai:zai.glm-5"),
    arbiter="openai:zai.glm-5",
    filter="openai:zai.glm-5",
)
"""Of the benchmark; the ids are those of Amazon Bedrock, and the models are also open weights."""
