"""The file behind `--users`: who exists, in which organisations, with which tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    ValidationError,
    field_validator,
    model_validator,
)

from ..errors import HubStartError

NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?")
RESERVED = {"api", "collections", "datasets", "lfs", "models", "spaces", "xet"}
"""Names with which the Hub's own addresses begin."""
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,3})?)\s*([kKMGT]?)(?:[bB])?")
_UNITS = ("", "K", "M", "G", "T")
_EXPECTED = {  # by pydantic's types of errors
    "bool_type": "expected true or false",
    "string_type": "expected text",
    "tuple_type": "expected a list",
    "literal_error": "expected write or read",
    "missing": "it is missing",
}


def parse_size(text: str) -> int:
    """Return bytes: a number, with kB, MB, GB or TB (powers of 1000) behind it or without; raises ValueError."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text[:40]!r} is no size; expected a number with kB, MB, GB or TB, e.g. 20GB")
    return int(float(found[1]) * 1000 ** _UNITS.index(found[2].upper()))


def _checked_name(value: Any) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError(f"{value!r} is no name; expected letters, digits, '-', '_' and '.', at most 96")
    if "--" in value or ".." in value or value.endswith(".git"):
        raise ValueError(f"{value!r} is no name: clients refuse '--', '..' and '.git' at the end")
    if value.lower() in RESERVED:
        raise ValueError(f"{value!r} begins addresses of the Hub itself; take another name")
    return value


def _checked_token(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]{4,}", value):
        raise ValueError("expected text of at least 4 printable characters without spaces")
    return value


def _check_unique(values: Iterable[str], what: str, *, show: bool = True) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{what}{' ' + repr(value) if show else ''} occurs twice")
        seen.add(value)


Name = Annotated[str, BeforeValidator(_checked_name)]
_NONE_IS_EMPTY = BeforeValidator(lambda value: () if value is None else value)
Quota = Annotated[int | None, BeforeValidator(lambda value: None if value is None else parse_size(str(value)))]


class _Entry(BaseModel):
    """A mapping of the file."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, value: Any) -> Any:
        if isinstance(value, cls):
            return value
        keys = ", ".join(sorted(cls.model_fields))
        if not isinstance(value, dict):
            raise ValueError(f"expected a mapping with the keys {keys}")
        unknown = sorted(str(key) for key in value if key not in cls.model_fields)
        if unknown:
            raise ValueError(f"unknown key {unknown[0]!r}; the keys are {keys}")
        named = {"fullname": value.get("name")} if "fullname" in cls.model_fields else {}
        return {**named, **value}


class Token(_Entry):
    """An access token; `role` is write or read."""

    token: Annotated[str, BeforeValidator(_checked_token), Field(repr=False)]
    role: Literal["write", "read"] = "write"


class UserEntry(_Entry):
    """A user, the names of their organisations, their tokens, and the bytes they may store (None: the usual)."""

    name: Name
    fullname: StrictStr
    orgs: Annotated[tuple[Name, ...], _NONE_IS_EMPTY] = ()
    tokens: Annotated[tuple[Token, ...], _NONE_IS_EMPTY] = ()
    quota: Quota = None

    @field_validator("orgs")
    @classmethod
    def _check_orgs(cls, orgs: tuple[str, ...]) -> tuple[str, ...]:
        _check_unique((org.lower() for org in orgs), "the organisation")
        return orgs


class OrgEntry(_Entry):
    """An organisation; new repositories in it may be private unless said otherwise."""

    name: Name
    fullname: StrictStr
    private_by_default: StrictBool = False
    quota: Quota = None


class Directory(_Entry):
    """All users and organisations of a file. An organisation that only users name is public by default."""

    users: Annotated[tuple[UserEntry, ...], _NONE_IS_EMPTY] = ()
    orgs: Annotated[tuple[OrgEntry, ...], _NONE_IS_EMPTY] = ()

    def first_write_token(self) -> str | None:
        """Return the first token that may write, or None."""
        return next((t.token for user in self.users for t in user.tokens if t.role == "write"), None)


def load_users(path: Path) -> Directory:
    """Read a users file; anything unexpected raises HubStartError with the place and what was expected."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise HubStartError(f"{path}: {error.strerror}; --users needs a readable YAML file.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise HubStartError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    try:
        return _completed(Directory.model_validate(content))
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in first["loc"]).removeprefix(".")
        problem = _EXPECTED.get(first["type"]) or first["msg"].removeprefix("Value error, ")
        raise HubStartError(f"{path}, {where or 'the file'}: {problem}.") from None  # it holds what may be a token
    except ValueError as error:
        raise HubStartError(f"{path}, the file: {error}.") from error


def _completed(found: Directory) -> Directory:
    """Return what a file says with the organisations that only users name, all spelled as they are declared.

    Raises ValueError if it has no user, or a name or a token twice.
    """
    if not found.users:
        raise ValueError("expected at least one user")
    spelled = {org.name.lower(): org.name for org in found.orgs}
    orgs = list(found.orgs)
    for name in (name for user in found.users for name in user.orgs if name.lower() not in spelled):
        spelled[name.lower()] = name
        orgs.append(OrgEntry(name=name, fullname=name))
    names = [user.name for user in found.users] + [org.name for org in orgs]
    _check_unique(map(str.lower, names), "the name")
    _check_unique((token.token for user in found.users for token in user.tokens), "the token", show=False)
    own = [user.model_copy(update={"orgs": tuple(spelled[org.lower()] for org in user.orgs)}) for user in found.users]
    return Directory(users=tuple(own), orgs=tuple(orgs))


class _Loader(yaml.SafeLoader):
    """The safe loader, which does not let the second of two equal keys win."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise yaml.MarkedYAMLError(problem=f"the key {name!r} occurs twice", problem_mark=node.start_mark)
        return dict(super().construct_mapping(node, deep))
