"""Users, organisations, access tokens, and the cookie of a signed-in browser.

Tokens are stored as hashes only. The cookie stands for a token, but only reads, and only pages and files: it is a
signed claim on the token's hash, which does not reveal the token and ends with it.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field, replace
from http.cookies import CookieError, SimpleCookie

from ..db import Database, Row, now
from ..errors import Refused
from ..root import Root, write_private
from .signing import Signer
from .users_file import Directory, Token, UserEntry

LOCAL_USER = "local"
_HOLDERS = "select u.name, u.fullname, t.role, t.hash as token from tokens t join users u on u.name = t.user"
SESSION_SECONDS = 12 * 3600  # a day of work: browsers send the cookie to every port of this host
CLAIM = "pages"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """The caller of a request: who they are, their organisations, what their token allows, and its hash."""

    name: str
    fullname: str
    role: str
    orgs: tuple[str, ...]
    token: str = field(repr=False)

    def member_of(self, namespace: str) -> bool:
        """Return whether the namespace is the user's own or one of their organisations."""
        return namespace.lower() in {self.name.lower(), *(org.lower() for org in self.orgs)}


def token_hash(token: str) -> str:
    """Return the hash under which a token is stored (tokens are random, so no salt is needed)."""
    return hashlib.sha256(b"tft-hub-token:" + token.encode()).hexdigest()


class Accounts:
    """The accounts in the database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def replace(self, directory: Directory) -> None:
        """Make the database say exactly what a users file says."""
        with self._db.transaction() as write:
            for table in ("tokens", "memberships", "orgs"):
                write.execute(f"delete from {table}")  # noqa: S608 - three fixed names
            for org in directory.orgs:
                write.execute("insert into orgs values(?, ?, ?)", (org.name, int(org.private_by_default), org.fullname))
            for user in directory.users:
                write.execute(
                    "insert into users values(?, ?, ?) on conflict(name) do update set fullname = excluded.fullname",
                    (user.name, user.fullname, now()),
                )
                write.executemany("insert into memberships values(?, ?)", [(user.name, org) for org in user.orgs])
                hashed = [(token_hash(token.token), user.name, token.role) for token in user.tokens]
                write.executemany("insert into tokens values(?, ?, ?)", hashed)

    def ensure_someone(self, root: Root) -> str | None:
        """Make the user `local` if there is no token at all; return the new token, which is shown only once."""
        if self._db.row("select 1 from tokens"):
            return None
        token = f"hf_{secrets.token_urlsafe(24).replace('-', 'x').replace('_', 'y')}"
        user = UserEntry(name=LOCAL_USER, fullname="Local user", orgs=(), tokens=(Token(token=token, role="write"),))
        write_private(root.token_file, f"{token}\n".encode())
        self.replace(Directory(users=(user,), orgs=()))
        return token

    def caller(self, authorization: str | None) -> User | None:
        """Return who sends an `authorization` header, None without one; raises Refused (401) on an unknown token."""
        if not authorization:
            return None
        scheme, _, token = authorization.partition(" ")
        known = scheme.lower() == "bearer" and token.strip()
        user = self.holder(token_hash(token.strip())) if known else None
        if user is None:
            raise Refused(401, "Invalid credentials in Authorization header")
        return user

    def holder(self, hashed: str) -> User | None:
        """Return the user whose token has that hash, None if there is no such token."""
        row = self._db.row(f"{_HOLDERS} where t.hash = ?", hashed)
        return self._user(row) if row else None

    def holders(self, name: str) -> list[User]:
        """Return a user, once per access token of theirs."""
        return [self._user(row) for row in self._db.rows(f"{_HOLDERS} where u.name = ?", name)]

    def _user(self, row: Row) -> User:
        orgs = self._db.rows("select org from memberships where user = ? order by org", row["name"])
        return User(**row, orgs=tuple(org["org"] for org in orgs))

    def organisation(self, name: str) -> Row | None:
        """Return the row of the organisation of that name, or None."""
        return self._db.row("select * from orgs where name = ?", name)

    def canonical(self, namespace: str) -> str | None:
        """Return the namespace as it was declared (letter case), or None if there is none of that name."""
        query = "select name from users where name = ?1 union all select name from orgs where name = ?1"
        row = self._db.row(query, namespace)
        return str(row["name"]) if row else None


def cookie_name(signer: Signer, *, secure: bool) -> str:
    """Return the cookie's name; two Hubs on one host differ in it, since browsers do not tell ports apart.

    With `secure` (over TLS) it is one that browsers accept from this host only.
    """
    return f"{'__Host-' if secure else ''}tft_hub_{hashlib.sha256(signer.sign(b'cookie')).hexdigest()[:12]}"


def new_cookie(signer: Signer, accounts: Accounts, token: str) -> str | None:
    """Return the cookie's value for an access token, None if the token is unknown."""
    hashed = token_hash(token.strip())
    if accounts.holder(hashed) is None:
        return None
    return signer.issue({"do": CLAIM, "token": hashed}, seconds=SESSION_SECONDS)[0]


def signed_in(signer: Signer, accounts: Accounts, header: str | None, *, secure: bool) -> User | None:
    """Return who sends a `Cookie` header, as someone who may only read; None without a valid cookie."""
    try:
        found = SimpleCookie(header or "").get(cookie_name(signer, secure=secure))
        claims = signer.check(found.value, do=CLAIM) if found else None
    except (CookieError, Refused):
        return None  # an expired or foreign cookie is no reason to refuse what is public
    user = accounts.holder(claims["token"]) if claims else None
    return replace(user, role="read") if user else None
