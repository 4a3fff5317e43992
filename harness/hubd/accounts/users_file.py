"""The file behind `--users`: who exists, in which organisations, with which tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from ..errors import HubStartError

NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?")
RESERVED = {"api", "collections", "datasets", "lfs", "models", "spaces", "xet"}
"""Names with which the Hub's own addresses begin."""
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,3})?)\s*([kKMGT]?)(?:[bB])?")
_UNITS = ("", "K", "M", "G", "T")
ROLES = ("write", "read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token; `role` is write or read."""

    token: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEntry:
    """A user, the names of their organisations, their tokens, and the bytes they may store (None: the usual)."""

    name: str
    fullname: str
    orgs: tuple[str, ...]
    tokens: tuple[Token, ...]
    quota: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgEntry:
    """An organisation; new repositories in it may be private unless said otherwise."""

    name: str
    private_by_default: bool
    fullname: str
    quota: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """All users and organisations of a file. An organisation that only users name is public by default."""

    users: tuple[UserEntry, ...]
    orgs: tuple[OrgEntry, ...]

    def first_write_token(self) -> str | None:
        """Return the first token that may write, or None."""
        return next((t.token for user in self.users for t in user.tokens if t.role == "write"), None)


def parse_size(text: str) -> int:
    """Return bytes: a number, with kB, MB, GB or TB (powers of 1000) behind it or without; raises ValueError."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text[:40]!r} is no size; expected a number with kB, MB, GB or TB, e.g. 20GB")
    return int(float(found[1]) * 1000 ** _UNITS.index(found[2].upper()))


def load_users(path: Path) -> Directory:
    """Read a users file; anything unexpected raises HubStartError with the place and what was expected."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise HubStartError(f"{path}: {error.strerror}; --users needs a readable YAML file.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise HubStartError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    reader = _Reader(path)
    top = reader.mapping(content, "the file", {"users", "orgs"})
    users = tuple(reader.user(item, f"users[{i}]") for i, item in enumerate(reader.items(top.get("users"), "users")))
    orgs = [reader.org(item, f"orgs[{i}]") for i, item in enumerate(reader.items(top.get("orgs"), "orgs"))]
    if not users:
        reader.fail("users", "expected at least one user")
    spelled = {org.name.lower(): org.name for org in orgs}
    for name in (name for user in users for name in user.orgs):
        if name.lower() not in spelled:
            spelled[name.lower()] = name
            orgs.append(OrgEntry(name=name, private_by_default=False, fullname=name))
    users = tuple(replace(user, orgs=tuple(spelled[name.lower()] for name in user.orgs)) for user in users)
    names = [user.name.lower() for user in users] + [org.name.lower() for org in orgs]
    reader.unique(names, "the name")
    reader.unique((token.token for user in users for token in user.tokens), "the token", show=False)
    return Directory(users=users, orgs=tuple(orgs))


class _Loader(yaml.SafeLoader):
    """The safe loader, which does not let the second of two equal keys win."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise yaml.MarkedYAMLError(problem=f"the key {name!r} occurs twice", problem_mark=node.start_mark)
        return dict(super().construct_mapping(node, deep))


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path

    def fail(self, where: str, problem: str) -> None:
        raise HubStartError(f"{self.path}, {where}: {problem}.")

    def mapping(self, value: Any, where: str, keys: set[str]) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.fail(where, f"expected a mapping with the keys {', '.join(sorted(keys))}")
        unknown = sorted(str(key) for key in value if key not in keys)
        if unknown:
            self.fail(where, f"unknown key {unknown[0]!r}; the keys are {', '.join(sorted(keys))}")
        return dict(value)

    def items(self, value: Any, where: str) -> list[Any]:
        if value is None:
            return []
        if not isinstance(value, list):
            self.fail(where, "expected a list")
        return list(value)

    def name(self, value: Any, where: str) -> str:
        if not isinstance(value, str) or not NAME.fullmatch(value):
            self.fail(where, f"{value!r} is no name; expected letters, digits, '-', '_' and '.', at most 96")
        if "--" in value or ".." in value or value.endswith(".git"):
            self.fail(where, f"{value!r} is no name: clients refuse '--', '..' and '.git' at the end")
        if value.lower() in RESERVED:
            self.fail(where, f"{value!r} begins addresses of the Hub itself; take another name")
        return str(value)

    def text(self, value: Any, where: str) -> str:
        if not isinstance(value, str):
            self.fail(where, "expected text")
        return str(value)

    def user(self, value: Any, where: str) -> UserEntry:
        entry = self.mapping(value, where, {"name", "fullname", "orgs", "tokens", "quota"})
        name = self.name(entry.get("name"), f"{where}.name")
        orgs = [
            self.name(org, f"{where}.orgs[{i}]") for i, org in enumerate(self.items(entry.get("orgs"), f"{where}.orgs"))
        ]
        self.unique((org.lower() for org in orgs), "the organisation", where=f"{where}.orgs")
        tokens = self.items(entry.get("tokens"), f"{where}.tokens")
        fullname = self.text(entry.get("fullname", name), f"{where}.fullname")
        return UserEntry(
            name=name,
            fullname=fullname,
            orgs=tuple(orgs),
            tokens=tuple(self.token(token, f"{where}.tokens[{i}]") for i, token in enumerate(tokens)),
            quota=self.quota(entry.get("quota"), f"{where}.quota"),
        )

    def quota(self, value: Any, where: str) -> int | None:
        if value is None:
            return None
        try:
            return parse_size(str(value))
        except ValueError as error:
            self.fail(where, str(error))
        return None

    def token(self, value: Any, where: str) -> Token:
        entry = self.mapping(value, where, {"token", "role"})
        token, role = entry.get("token"), entry.get("role", "write")
        if not isinstance(token, str) or not re.fullmatch(r"[!-~]{4,}", token):
            self.fail(f"{where}.token", "expected text of at least 4 printable characters without spaces")
        if role not in ROLES:
            self.fail(f"{where}.role", f"{role!r} is no role; expected write or read")
        return Token(token=str(token), role=str(role))

    def org(self, value: Any, where: str) -> OrgEntry:
        entry = self.mapping(value, where, {"name", "fullname", "private_by_default", "quota"})
        private = entry.get("private_by_default", False)
        if not isinstance(private, bool):
            self.fail(f"{where}.private_by_default", "expected true or false")
        name = self.name(entry.get("name"), f"{where}.name")
        return OrgEntry(
            name=name,
            private_by_default=private,
            fullname=self.text(entry.get("fullname", name), f"{where}.fullname"),
            quota=self.quota(entry.get("quota"), f"{where}.quota"),
        )

    def unique(self, values: Iterable[str], what: str, *, show: bool = True, where: str = "the file") -> None:
        seen: set[str] = set()
        for value in values:
            if value in seen:
                self.fail(where, f"{what}{' ' + repr(value) if show else ''} occurs twice")
            seen.add(value)
