"""Answers of language models kept on this machine by the hash of the request, and the ledger of what tries cost."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.data.records import Usage
from harness.errors import DataError
from harness.models.chat.budget import FREE, Budget, BudgetSpent, Price, estimated_prompt, estimated_tokens
from harness.models.chat.failures import ChatReply, Failure
from harness.models.chat.parameters import IN_WORDS, relevant
from harness.models.chat.records import ChatRequest

_FILE = "answers.sqlite"
_VERSION = 1
_BUSY_SECONDS = 60.0
_DAMAGED = "damaged"
_TABLE = """CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, text BLOB NOT NULL, usage TEXT, date TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
) WITHOUT ROWID"""
_TRIES = """CREATE TABLE IF NOT EXISTS tries (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, prompt INTEGER NOT NULL, completion INTEGER NOT NULL
)"""
_REFUSED = """CREATE TABLE IF NOT EXISTS changes (
    identity TEXT PRIMARY KEY, changes TEXT NOT NULL, date TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
) WITHOUT ROWID"""
_BY_KEY = "CREATE INDEX IF NOT EXISTS tries_by_key ON tries (key)"


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedAnswer:
    """An answer as it was given, and the tokens that it took then."""

    text: str
    usage: Usage | None


def default_folder() -> Path:
    """Return the folder where the user's answers lie."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "tft" / "answers"


class AnswerCache:
    """A file of SQLite; several processes may share it. It holds hashes, texts, token counts and dates, no prompts.

    Every answer is a transaction of its own in a write-ahead log, so that a kill loses none that was put.
    All methods raise DataError where the file is damaged or cannot be used.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._changes: dict[str, frozenset[str]] = {}

    @classmethod
    def open(cls, folder: Path | None = None) -> AnswerCache:
        """Open or create the cache in `folder`, by default the user's own (see `default_folder`)."""
        path = (folder or default_folder()) / _FILE
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # answers may quote private conversations
            connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from error
        cache = cls(path, connection)
        try:
            cache._prepare()
        except BaseException:
            connection.close()
            raise
        return cache

    def _prepare(self) -> None:
        self._run("PRAGMA journal_mode = WAL")
        self._run("PRAGMA synchronous = NORMAL")
        version = self._run("PRAGMA user_version")[0][0]
        if version not in (0, _VERSION):
            raise DataError(
                f"{self.path} was written by another version of the harness (layout {version}, expected {_VERSION}); "
                "move it away, or name another folder for the answers"
            )
        for statement in (_TABLE, _TRIES, _BY_KEY, _REFUSED):
            self._run(statement)
        self._run(f"PRAGMA user_version = {_VERSION}")

    def get(self, identity: str, request: ChatRequest) -> CachedAnswer | None:
        """Return the answer that `identity` (the model and all that decides how it answers) gave to the request."""
        rows = self._run("SELECT text, usage FROM answers WHERE key = ?", self.key(identity, request))
        if not rows:
            return None
        text, usage = rows[0]
        try:
            counts = Usage(**json.loads(usage)) if usage else None
            return CachedAnswer(text=text.decode("utf-8", "surrogatepass"), usage=counts)
        except (ValueError, TypeError, AttributeError) as error:
            raise _unusable(self.path, _DAMAGED) from error

    def key(self, identity: str, request: ChatRequest) -> str:
        """Return the SHA-256 (hex) of who is asked and of all that is sent, known refusals of the endpoint left out."""
        changes = " ".join(relevant(self.changes(identity), request))
        asked = f"{identity}\n{request.sha256()}" + (f"\n{changes}" if changes else "")
        return hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()

    def changes(self, identity: str) -> frozenset[str]:
        """Return what an endpoint is known not to take, see `parameters.Change`."""
        if identity not in self._changes:
            rows = self._run("SELECT changes FROM changes WHERE identity = ?", identity)
            self._changes[identity] = frozenset(rows[0][0].split()) & IN_WORDS.keys() if rows else frozenset()
        return self._changes[identity]

    def learn(self, identity: str, changes: frozenset[str]) -> None:
        """Keep what an endpoint does not take: later runs need not find it out, and know their answers by it."""
        if changes != self.changes(identity):
            values = (identity, " ".join(sorted(changes)))
            self._run("INSERT OR REPLACE INTO changes (identity, changes) VALUES (?, ?)", *values)
            self._changes[identity] = changes

    def holds(self, identity: str, request: ChatRequest) -> bool:
        """Return whether the request need not be asked: there is an answer, and it passes the request's check."""
        answer = self.get(identity, request)
        return answer is not None and request.problem_of(answer.text) is None

    def put(self, identity: str, request: ChatRequest, answer: CachedAnswer) -> None:
        """Keep an answer; on return it survives the death of this process."""
        usage = json.dumps(asdict(answer.usage)) if answer.usage else None
        text = answer.text.encode("utf-8", "surrogatepass")
        key = self.key(identity, request)
        self._run("INSERT OR REPLACE INTO answers (key, text, usage) VALUES (?, ?, ?)", key, text, usage)

    def begin_try(self, key: str, estimate: Usage) -> int:
        """Note that a question is about to be asked, with what it will take at least; returns the entry's number."""
        values = (key, estimate.prompt, estimate.completion)
        return int(
            self._run("INSERT INTO tries (key, prompt, completion) VALUES (?, ?, ?) RETURNING id", *values)[0][0]
        )

    def end_try(self, entry: int, used: Usage | None) -> None:
        """Note what a try took that gave no answer; None where there is nothing to remember."""
        if used is None:
            self._run("DELETE FROM tries WHERE id = ?", entry)
        else:
            values = (used.prompt, used.completion, entry)
            self._run("UPDATE tries SET prompt = ?, completion = ? WHERE id = ?", *values)

    def tries(self, key: str) -> list[Usage]:
        """Return what the tries of a question took that gave no answer, those that a kill cut off included."""
        rows = self._run("SELECT prompt, completion FROM tries WHERE key = ?", key)
        return [Usage(prompt=prompt, completion=completion) for prompt, completion in rows]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _run(self, statement: str, *values: Any) -> list[Any]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error


def _unusable(path: Path, problem: object) -> DataError:
    """Return the error for a cache that cannot be read or written; a busy, full or closed disk is not damage."""
    if isinstance(problem, OSError | sqlite3.OperationalError | sqlite3.ProgrammingError):
        return DataError(
            f"the answers kept in {path} cannot be used ({problem}); check that the folder may be written "
            "and that the disk has room, or name another folder"
        )
    return DataError(
        f"the answers kept in {path} cannot be read ({problem}); remove {path} and, if they exist, {path.name}-wal "
        f"and {path.name}-shm beside it, and run again: what they held is asked once more"
    )


class Spending:
    """A budget (or none), the price, and the ledger of tries beside the kept answers.

    Without a price nothing is counted. The ledger is kept without a budget too: a later run may have one.
    """

    def __init__(self, budget: Budget | None, price: Price | None, cache: AnswerCache, identity: str) -> None:
        self._budget = budget
        self._price = None if price == FREE else price
        self._cache = cache
        self._identity = identity

    def add_previous(self, request: ChatRequest, kept: CachedAnswer | None) -> None:
        """Count what earlier runs paid for a request: for its answer, and for tries that gave none or were cut off."""
        if self._budget is None or self._price is None:
            return
        key = self._cache.key(self._identity, request)
        usages = self._cache.tries(key)
        if kept is not None:
            usages.append(_used(kept.usage, request, kept.text))
        self._budget.add_previous(key, sum(self._price.cost(usage) for usage in usages))

    def begin(self, request: ChatRequest) -> int | None:
        """Note a try that is about to be sent, with its estimated prompt; BudgetSpent where it may not be."""
        if self._price is None:
            return None
        if self._budget is not None and self._budget.is_spent:
            raise BudgetSpent("the budget is spent")
        return self._cache.begin_try(self._cache.key(self._identity, request), _used(None, request, ""))

    def end(self, entry: int | None, request: ChatRequest, usage: Usage | None, outcome: ChatReply | Failure) -> None:
        """Count a try: what it used, or where that is not known what was sent and received; nothing if refused."""
        if self._price is None:
            return
        refused = isinstance(outcome, Failure) and outcome.refused
        answer = outcome.text if isinstance(outcome, ChatReply) else ""
        used = Usage(prompt=0, completion=0) if refused else _used(usage, request, answer)
        if self._budget is not None:
            self._budget.charge(self._price.cost(used))
        if entry is not None:
            self._cache.end_try(entry, None if refused else used)

    def keep(self, request: ChatRequest, entry: int | None) -> None:
        """Note that the last try's answer is kept, which tells what it took."""
        if entry is not None:
            self._cache.end_try(entry, None)
        if self._budget is not None:
            self._budget.mark_counted(self._cache.key(self._identity, request))


def _used(usage: Usage | None, request: ChatRequest, answer: str) -> Usage:
    return usage or Usage(prompt=estimated_prompt(request.texts()), completion=estimated_tokens(answer))
