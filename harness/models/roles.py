"""Which model plays which role: the rule-based stand-ins, the published models, or what a file says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness.data.formats.yaml_lines import Lines, read_mapping, refuse_unknown
from harness.errors import DataError, UsageError
from harness.models.names import ModelName

NAMED = ("rules", "published")
_EXAMPLE = "judge: rules:judge, teacher: openai:ID, committee: [openai:ID, org/model], arbiter: openai:ID"
_SINGLE = ("judge", "teacher", "arbiter", "filter")
_KEYS = (*_SINGLE, "committee")


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """A model for each role, by name (`backend:id[@revision]`)."""

    judge: str
    teacher: str
    """Writes synthetic conversations."""
    committee: tuple[str, ...]
    """Rewrite the assistant's turns, each on its own."""
    arbiter: str
    """Decides where the committee does not agree."""
    filter: str
    """Rates relevance and coherence."""

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
        return _read(path)

    def changed(
        self, *, teacher: str | None = None, committee: tuple[str, ...] = (), arbiter: str | None = None
    ) -> Roles:
        """Return the roles with single ones replaced; a new teacher also rates, as the published one does."""
        found = self
        if teacher:
            found = replace(found, teacher=_checked(teacher, "the teacher"), filter=teacher)
        if committee:
            found = replace(found, committee=_members(committee))
        if arbiter:
            found = replace(found, arbiter=_checked(arbiter, "the arbiter"))
        return found


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


def _read(path: Path) -> Roles:
    """Return the roles of a file; without `filter` the teacher rates."""
    document, lines = read_mapping(path, _EXAMPLE)
    refuse_unknown(path, lines, (), document, _KEYS)
    missing = [key for key in _KEYS if key not in document and key != "filter"]
    if missing:
        raise DataError(f"{path} names no {', no '.join(missing)}; expected YAML, `{_EXAMPLE}`")
    single = {key: _text(path, lines, key, document[key]) for key in _SINGLE if key in document}
    members = document["committee"]
    if not isinstance(members, list) or not all(isinstance(member, str) for member in members) or not members:
        raise DataError.at(path, lines[("committee",)], "the committee should be a list of models, at least one")
    try:
        committee = _members(tuple(members))
    except UsageError as error:
        raise DataError.at(path, lines[("committee",)], str(error)) from error
    return Roles(
        judge=single["judge"],
        teacher=single["teacher"],
        committee=committee,
        arbiter=single["arbiter"],
        filter=single.get("filter", single["teacher"]),
    )


def _text(path: Path, lines: Lines, key: str, value: object) -> str:
    if not isinstance(value, str):
        raise DataError.at(path, lines[(key,)], f"the {key} should be one model, for example openai:ID")
    try:
        return _checked(value, f"the {key}")
    except UsageError as error:
        raise DataError.at(path, lines[(key,)], str(error)) from error


def _checked(name: str, role: str) -> str:
    if ModelName.parse(name).backend == "replay":
        raise UsageError(f"{role} cannot be {name}: recorded answers answer one test set; name a model")
    return name


def _members(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise UsageError("a member of the committee is named twice; its votes would count twice")
    return tuple(_checked(name, "a member of the committee") for name in names)
