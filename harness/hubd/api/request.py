"""One request as the routes see it, and the services behind it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, quote

from starlette.datastructures import Headers, QueryParams
from starlette.responses import JSONResponse, Response

from ..accounts.accounts import Accounts, User, signed_in
from ..accounts.signing import Signer
from ..db import Database
from ..errors import Refused, login_required
from ..root import Root
from ..storage.blobs import BlobStore, Draft
from ..storage.collections import Collections
from ..storage.discussions import Discussions
from ..storage.git import GitRepo
from ..storage.references import References
from ..storage.repos import RepoRow, Repos
from ..storage.usage import Quotas, Usage
from ..storage.xet_uploads import XetStore

KINDS_IN_PATHS = {"models": "model", "datasets": "dataset", "spaces": "space"}
TRUE = ("1", "true")
VALUES_LIMIT = 200_000  # of JSON in a body


class Services:
    """Everything that outlives a request."""

    def __init__(self, root: Root, quotas: Quotas | None = None) -> None:
        self.root = root
        self.db = Database(root.database)
        self.usage = Usage(root, self.db, quotas or Quotas())
        self.accounts = Accounts(self.db)
        self.repos = Repos(root, self.db)
        self.blobs = BlobStore(root)
        self.references = References(self.db, self.repos, self.blobs)
        self.signer = Signer(root.key)
        self.xet = XetStore(root, self.db, self.blobs)
        self.collections = Collections(self.db)
        self.discussions = Discussions(self.db, self.repos)
        self.discussions.settle()


@dataclass(kw_only=True)
class Call:
    """A request: `segments` are the parts of the raw path, each unquoted on its own; `body` was read beforehand."""

    services: Services
    method: str
    base: str
    raw_path: str
    segments: list[str]
    query: QueryParams
    headers: Headers
    body: bytes = b""
    upload: Draft | None = None
    kind: str = "model"
    name: str = ""
    cookie: bool = False  # a browser's sign-in counts here
    claims: dict[str, Any] = field(default_factory=dict)  # of the signed link or token that was checked

    @cached_property
    def user(self) -> User | None:
        """Return the caller, None if anonymous; raises Refused (401) on an unknown token."""
        services, authorization = self.services, self.headers.get("authorization")
        if authorization is None:
            if not self.cookie or self._is_embedded_elsewhere():
                return None
            secure = self.base.startswith("https:")
            return signed_in(services.signer, services.accounts, self.headers.get("cookie"), secure=secure)
        return services.accounts.caller(authorization)

    def _is_embedded_elsewhere(self) -> bool:
        """Return whether a page of another site loads this as a part of itself (browsers take ports for one site)."""
        site, mode = self.headers.get("sec-fetch-site", "none"), self.headers.get("sec-fetch-mode")
        return site not in ("same-origin", "none") and mode != "navigate"

    def required_user(self) -> User:
        """Return the caller; raises Refused (401) if anonymous."""
        if self.user is None:
            raise login_required()
        return self.user

    @cached_property
    def repo(self) -> RepoRow:
        """Return the repository of the path, if the caller may see it; raises Refused."""
        return self.services.repos.readable(self.kind, self.name, self.user)

    def forget(self) -> None:
        """Look up the caller and the repository again when they are next asked for."""
        self.__dict__.pop("user", None)
        self.__dict__.pop("repo", None)

    def repository_is_gone(self) -> bool:
        """Return whether the repository of the path was deleted after this request found it."""
        found: RepoRow | None = self.__dict__.get("repo")
        return found is not None and self.services.repos.by_id(found.id) is None

    def git(self) -> GitRepo:
        """Return the git repository of the path."""
        return self.services.repos.git(self.repo)

    def flag(self, name: str) -> bool:
        """Return whether a query parameter is set to true or 1."""
        return self.query.get(name, "").lower() in TRUE

    def number(self, name: str, default: int, most: int) -> int:
        """Return a query parameter as a number from 0 to `most`; raises Refused (400)."""
        text = self.query.get(name) or str(default)
        if (number := whole_number(text, 12)) is None:
            raise Refused(400, f"{name} must be a whole number, got {text[:40]!r}.")
        return min(number, most)

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object ({} if empty); raises Refused (400)."""
        if not self.body.strip():
            return {}
        if sum(map(self.body.count, (b",", b"[", b"{"))) > VALUES_LIMIT:  # each may take a hundred bytes of memory
            raise Refused(413, f"The body may have {VALUES_LIMIT} values at most.")
        try:
            content = json.loads(self.body.decode(), parse_constant=_no_number)
            if b"\\ud" in self.body.lower():  # half a character, escaped: it cannot be stored or sent back
                json.dumps(content, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise Refused(400, "The body is not valid JSON.") from error
        if not isinstance(content, dict):
            raise Refused(400, "The body must be a JSON object.")
        return content

    def form(self) -> dict[str, list[str]]:
        """Return a form-encoded or JSON body as name -> values; raises Refused (400)."""
        if "json" in self.headers.get("content-type", ""):
            return {k: [str(x) for x in (v if isinstance(v, list) else [v])] for k, v in self.json().items()}
        try:
            return parse_qs(self.body.decode(), max_num_fields=100_000)
        except ValueError as error:
            raise Refused(400, "The body is not a valid form.") from error

    def next_link(self, **changed: str) -> dict[str, str]:
        """Return the header that leads to the next page: this URL with some query parameters changed."""
        kept = [(key, value) for key, value in self.query.multi_items() if key not in changed]
        pairs = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in [*kept, *changed.items()])
        return {"Link": f'<{self.base}{self.raw_path}?{pairs}>; rel="next"'}


def whole_number(text: str, digits: int) -> int | None:
    """Return a text of at most that many decimal digits as a number, None for any other."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def answer(content: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response."""
    return JSONResponse(content, status_code=status, headers=headers)


def text_of(content: dict[str, Any], key: str, default: str | None = None) -> str:
    """Return a text from a JSON body; raises Refused (400) if it is missing without a default, or no text."""
    value = content.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise Refused(400, f"{key!r} is missing or not a text.")
    if any(0xD800 <= ord(c) <= 0xDFFF for c in value):
        raise Refused(400, f"{key!r} is not valid Unicode.")
    return value
