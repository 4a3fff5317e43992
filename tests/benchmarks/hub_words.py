"""Vocabulary of requests to the embedded Hub: names, paths, junk, odd encodings, and values from earlier responses."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

TOKENS = [*["hf_ada"] * 40, *["hf_bob"] * 6, "hf_ada_read", "hf_ada_read", "", "", "hf_unknown", "x y", "\xff"]
JUNK = [
    "", " ", "..", ".", "/", "\\", "a/../b", ".git", "%00", "\0", "\n", "a\nb", "ü", "\U0001f600", "\ud800", "\u202e",
    "'", '"', "<script>", "null", "-1", "0", "1e999", "9" * 30, "x" * 300, "x" * 5000, "refs/heads/main", "refs/pr/1",
    "HEAD", "@{0}", "a..b", "a.lock", "~", "^", ":", "*", "?", "a b", "%2e%2e", "%2F", "%", "+", "None", "true", "{}",
]  # fmt: skip
VALUES = [None, True, False, 0, -1, 1, 2**70, 1.5, [], {}, [[]], {"a": {}}, ["x"], [None], "", "x"]
KINDS = ["models", "datasets", "spaces"]
NAMES = ["one", "two", "three", "four"]
PATHS = [
    "README.md", "a.txt", "b/c.txt", "w.bin", "eval.yaml", ".eval_results/x.yaml", "config.json", "b", "t.parquet",
    "d.jsonl",
]  # fmt: skip
REVISIONS = ["main", "main", "main", "dev", "dev/x", "v1", "refs/heads/main", "refs/pr/1", "refs/pr/2"]
CARDS = [
    "---\nlicense: mit\ntags: [a]\n---\n# x <script>",
    "---\n{",
    "---\na: &x [*x]\n---",
    "---\nmodel-index: 5\n---\n",
    "no card",
]
PAGES = ["", "models", "datasets", "spaces", "collections", "-/style.css", "-/icon.svg", "-/login", "ada", "-/nothing"]
ALONE = ["resolve/{rev}/{path}", "raw/{rev}/{path}"]
TABS = [
    "", "tree/{rev}", "tree/{rev}/{path}", "blob/{rev}/{path}", "commits/{rev}", "commit/{rev}", "viewer",
    "viewer/{rev}/{path}", "discussions", "discussions/{num}", "leaderboard", "resolve/{rev}/{path}",
    "raw/{rev}/{path}",
]  # fmt: skip
READS = [
    "", "revision/{rev}", "tree/{rev}", "tree/{rev}/{path}", "refs", "commits/{rev}", "auth-check", "auth-check/write",
    "xet-write-token/{rev}", "xet-read-token/{rev}", "leaderboard", "discussions", "discussions/{num}",
]  # fmt: skip
QUERIES = [
    "recursive", "expand", "expand[]", "limit", "cursor", "p", "blobs", "full", "search", "author", "filter", "sort",
    "direction", "gated", "q", "owner", "item", "create_pr", "include_prs", "task_id", "type", "status", "token",
    "page", "view",
]  # fmt: skip
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"]


@dataclass(slots=True)
class Request:
    """What is sent; `whole` False: the client goes away before its body is complete."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    whole: bool = True


class Words:
    """Draws words; what answers teach (ids, links, tokens) is used again."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.shas: list[str] = ["0" * 40]
        self.large: list[bytes] = [b"", b"large" * 100]
        self.links: list[tuple[str, bytes]] = [("/lfs/" + "0" * 64, b"")]
        self.slugs: list[str] = ["ada/x-" + "0" * 24]
        self.items: list[str] = ["0" * 24]
        self.comments: list[str] = [f"/api/models/ada/one/discussions/1/comment/{'0' * 24}"]
        self.xet: list[tuple[str, str]] = [("/xet/store", "x")]

    def learn(self, made: Request, status: int, body: bytes) -> None:
        """Remember what an answer offers."""
        if status != 200 or not body.startswith((b"{", b"[")):
            return
        try:
            content = json.loads(body)
        except ValueError:
            return
        if isinstance(content, dict):
            for key in ("sha", "commitOid"):
                if isinstance(content.get(key), str):
                    self.keep(self.shas, content[key])
            if isinstance(content.get("newMessage"), dict):
                self.keep(self.comments, f"{made.path.rstrip('/')}/{content['newMessage']['id']}")
            if isinstance(content.get("slug"), str):
                self.keep(self.slugs, content["slug"])
                for item in content["items"]:
                    self.keep(self.items, item["_id"])
            if "casUrl" in content:
                self.keep(self.xet, (urlsplit(content["casUrl"]).path, content["accessToken"]))
            if "transfer" in content:
                for item, source in zip(content["objects"], json.loads(made.body)["objects"], strict=True):
                    for action in item.get("actions", {}).values():
                        data = next((d for d in self.large if hashlib.sha256(d).hexdigest() == source["oid"]), b"?")
                        self.keep(self.links, (action["href"].partition("//")[2].partition("/")[2], data))

    def keep(self, pool: list[Any], value: Any) -> None:
        pool.append(value)
        if len(pool) > 40:
            del pool[self.draw.randrange(len(pool) - 1)]

    def junk(self) -> str:
        draw = self.draw
        return (
            draw.choice(JUNK)
            if draw.random() < 0.8
            else "".join(chr(draw.choice((draw.randrange(256), draw.randrange(0xD7FF)))) for _ in range(8))
        )

    def text(self, limit: int = 10_000) -> str:
        return "".join(c for c in self.junk()[:limit] if 32 <= ord(c) < 256)

    def pick(self, pool: list[Any], odd: float = 0.03) -> Any:
        return self.junk() if self.draw.random() < odd else self.draw.choice(pool)

    def value(self) -> Any:
        draw = self.draw
        return draw.choice(VALUES) if draw.random() < 0.5 else self.junk()

    def segment(self, text: str) -> str:
        encoded = text.encode("utf-8", "surrogatepass")
        if self.draw.random() < 0.98:
            return quote(encoded, safe="")
        return self.draw.choice(
            [quote(encoded, safe="/"), quote(quote(encoded, safe=""), safe=""), "%ff%fe", "%zz", "%E2%28%A1"]
        )

    def revision(self) -> str:
        return self.pick([*REVISIONS, *self.shas[-5:], *(sha[:8] for sha in self.shas[-2:])], 0.03)

    def fill(self, template: str) -> str:
        path = "/".join(self.segment(part) for part in self.pick(PATHS, 0.05).split("/"))
        number = self.segment(str(self.pick([1, 1, 2, 3, 99])))
        return template.format(rev=self.segment(self.revision()), path=path, num=number)

    def repo(self) -> tuple[str, str]:
        """Return (kind, owner/name), mostly of a repository that may exist."""
        name = f"{self.pick(['ada'] * 16 + ['bob', 'lab'], 0.02)}/{self.pick(NAMES, 0.02)}"
        return self.draw.choice(KINDS[:2] + KINDS), name

    def api(self, operation: str) -> str:
        kind, name = self.repo()
        return f"/api/{kind}/{'/'.join(self.segment(part) for part in name.split('/'))}/{operation}".rstrip("/")

    def query(self) -> str:
        chosen = self.draw.sample(QUERIES, self.draw.choice([0, 0, 0, 1, 2, 4]))
        pairs = [
            (key, self.pick(["1", "true", "0", "50", "lastModified", "siblings", "sha", "lab", "all", "open"], 0.3))
            for key in chosen
        ]
        return urlencode([(key, value.encode("utf-8", "surrogatepass")) for key, value in pairs])

    def json(self, **content: Any) -> bytes:
        for key in list(content):
            if self.draw.random() < 0.08:
                content[key] = self.value()
        if self.draw.random() < 0.03:
            return self.draw.choice(
                [b"", b"{", b"[]", b"null", b"[" * 50_000, b'{"a":', b"\xff", b'{"name":"\\ud800"}']
            )
        return json.dumps(content).encode()

    def damage(self, body: bytes) -> bytes:
        draw = self.draw
        if not body or draw.random() < 0.7:
            return body
        at = draw.randrange(len(body))
        return draw.choice(
            [
                body[:at],
                body[:at] + draw.randbytes(4) + body[at + 4 :],
                body + draw.randbytes(9),
                body[:at] + b"\xff" * 8,
            ]
        )

    def spoil(self, made: Request) -> None:
        draw = self.draw
        what = draw.randrange(6)
        if what == 0:
            made.method = draw.choice(METHODS)
        elif what == 1:
            made.whole = False
            made.body = made.body[: len(made.body) // 2]
        elif what == 2:
            made.body = self.damage(made.body)
        elif what == 3:
            made.path = draw.choice(
                [
                    made.path + "/",
                    "/" + made.path,
                    made.path.replace("/", "//", 1),
                    made.path + "%2f..%2f",
                    made.path + "/" + self.segment(self.junk()),
                ]
            )
        elif what == 4:
            made.query = draw.choice(
                [
                    "%ff=%fe",
                    "a&b&=",
                    "limit=" + "9" * 50,
                    "cursor=%00",
                    "x=" + "y" * 40_000,
                    made.query + "&" + made.query,
                ]
            )
        else:
            made.headers["x-long"] = "y" * draw.choice([10, 40_000])
