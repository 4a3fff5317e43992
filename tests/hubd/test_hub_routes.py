"""Every route, asked by everyone for every kind of repository: nothing leaks, nothing changes, nothing breaks.

The requests come from the router's own table (`support/hub_requests.py`), so a new route is among them, or fails here
until somebody describes how it is asked. What is looked for in status, headers and bodies: texts and names of files,
hashes (git, sha256, Xet), private names, titles of commits, discussions and collections, and results that are on
leaderboards.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, product
from typing import Any

import pytest

from harness.hubd.accounts.users_file import load_users
from harness.hubd.api.request import Services
from harness.hubd.api.rights import Needs
from harness.hubd.root import open_root
from harness.hubd.server.app import HubApp
from harness.hubd.server.routes import ROUTES
from harness.hubd.storage.blobs import pointer
from support.hub_requests import Asked, Target, quoted, requests_of

USERS = """
users:
  - {name: ada, orgs: [lab], tokens: [{token: hf_ada_writes}, {token: hf_ada_reads, role: read}]}
  - {name: cy, orgs: [lab], tokens: [{token: hf_cy_writes}, {token: hf_cy_reads, role: read}]}
  - {name: bob, tokens: [{token: hf_bob_writes}]}
orgs: [{name: lab}]
"""
CALLERS = {
    "anonymous": "", "stranger": "hf_bob_writes", "reader": "hf_cy_reads", "owner's reader": "hf_ada_reads",
    "member": "hf_cy_writes", "owner": "hf_ada_writes",
}  # fmt: skip
OUTSIDERS = ("anonymous", "stranger")
PROPOSED = {"discussions", "events", "uploads"}  # tables that a stranger may add to, at a repository they read


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status, and everything else as bytes without what differs in every answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def everything(self) -> bytes:
        kept = {key: value for key, value in self.headers.items() if key != "x-request-id"}
        return json.dumps(kept).encode() + self.body


@dataclass
class World:
    """A Hub in this process, and the repositories of `lab` on it."""

    app: HubApp
    services: Services
    loop: asyncio.AbstractEventLoop
    targets: dict[str, Target] = field(default_factory=dict)

    def ask(self, method: str, path: str, token: str, body: bytes = b"", **headers: str) -> Answer:
        """Answer one request as the server does, without a network."""
        plain, _, query = path.partition("?")
        sent = {"host": "hub", "content-length": str(len(body)), **headers}
        sent |= {"authorization": f"Bearer {token}"} if token else {}
        scope: dict[str, Any] = {
            "type": "http", "method": method, "path": plain, "raw_path": plain.encode(), "scheme": "http",
            "query_string": query.encode(), "server": ("hub", 80), "client": ("127.0.0.1", 1),
            "headers": [(key.replace("_", "-").encode(), value.encode()) for key, value in sent.items()],
        }  # fmt: skip
        got: list[dict[str, Any]] = []
        parts = [body]

        async def receive() -> dict[str, Any]:
            if not parts:  # a client waits for the answer now
                await asyncio.sleep(60)
            return {"type": "http.request", "body": parts.pop(), "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            got.append(message)

        self.loop.run_until_complete(self.app(scope, receive, send))
        found = {key.decode(): value.decode("latin-1") for key, value in got[0]["headers"]}
        return Answer(got[0]["status"], found, b"".join(part.get("body", b"") for part in got[1:]))

    def json(self, method: str, path: str, content: Any = None, token: str = CALLERS["owner"]) -> Any:
        """Ask as the owner; the answer has to be good."""
        body = b"" if content is None else json.dumps(content).encode()
        answer = self.ask(method, path, token, body, content_type="application/json")
        assert answer.status == 200, (method, path, answer)
        return json.loads(answer.body) if answer.body.startswith((b"{", b"[")) else None

    def commit(self, repo: str, files: dict[str, bytes], title: str, query: str = "") -> str:
        """Commit files as the owner: those that end in .bin as large ones."""
        lines = [{"key": "header", "value": {"summary": title}}]
        for path, data in files.items():
            value: dict[str, Any] = {"path": path, "content": data.decode("latin-1")}
            if path.endswith(".bin"):
                self.upload(repo, data)
                value = {"path": path, "algo": "sha256", "oid": hashlib.sha256(data).hexdigest(), "size": len(data)}
            lines.append({"key": "lfsFile" if path.endswith(".bin") else "file", "value": value})
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        answer = self.ask(
            "POST", f"/api/{repo}/commit/main{query}", CALLERS["owner"], body, content_type="application/x-ndjson"
        )
        assert answer.status == 200, answer
        return str(json.loads(answer.body)["commitOid"])

    def upload(self, repo: str, data: bytes) -> None:
        """Upload a large file as the owner."""
        entry = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data)}
        path = f"/{repo.removeprefix('models/')}.git/info/lfs/objects/batch"
        [found] = self.json("POST", path, {"operation": "upload", "objects": [entry]})["objects"]
        if "actions" in found:
            link = found["actions"]["upload"]["href"].removeprefix("http://hub")
            assert self.ask("PUT", link, "", data).status == 200

    def state(self, *, without: str = "") -> dict[str, set[Any]]:
        """Return all rows and refs, but for what the user `without` may have added."""
        tables = [row["name"] for row in self.services.db.rows("select name from sqlite_master where type = 'table'")]
        rows = {table: self.services.db.rows(f"select * from {table}") for table in tables}
        found = {
            table: {tuple(row) for row in some if not (table in PROPOSED and without and without in tuple(row))}
            for table, some in rows.items()
        }
        own = self.services.db.rows("select repo, num from discussions where author = ?", without)
        found["refs"] = {
            (row["id"], name, sha)
            for row in rows["repos"]
            for name, sha in self.services.repos.git(self.services.repos.by_id(row["id"])).refs().items()
            if (row["id"], name) not in {(one["repo"], f"refs/pr/{one['num']}") for one in own}
        }
        return found


def blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def make(world: World, key: str, kind: str, names: list[str], **settings: Any) -> Target:
    """Make a repository with all that it can hold; `names` are its present one and, behind it, its former one."""
    mark, first, api = f"mark-{key}", names[-1], f"{kind}s/{names[-1]}"
    large, target = f"large {mark} ".encode() * 500, Target(kind=kind, names=names, file=f"file-{mark}.txt")
    namespace, alone = first.split("/")
    world.json("POST", "/api/repos/create", {"name": alone, "organization": namespace, "type": kind})
    result = f"- dataset: {{id: lab/open-data, task_id: t}}\n  value: 1\n  notes: note {mark}\n"
    files = {
        target.file: f"text {mark}".encode(),
        "w.bin": large,
        "folder/x.txt": f"more {mark}".encode(),
        "README.md": b"---\nlicense: mit\n---\nAn open card.\n",
        "config.json": json.dumps({"model_type": mark}).encode(),
        "rows.jsonl": json.dumps({"a": mark}).encode(),
        "eval.yaml": b"name: x\n",
        ".eval_results/r.yaml": result.encode(),
    }
    old = world.commit(api, files, f"commit {mark}")
    for ref in ("side", "other"):
        world.json("POST", f"/api/{api}/branch/{ref}", {})
    world.json("POST", f"/api/{api}/tag/main", {"tag": "v0"})
    for number in (1, 2):
        world.commit(api, {f"pull{number}.txt": f"pull {mark}".encode()}, f"pull {mark}", "?create_pr=1")
    said = world.json("POST", f"/api/{api}/discussions", {"title": f"talk {mark}", "description": f"said {mark}"})
    assert said["num"] == 3
    target.comment = world.json("GET", f"/api/{api}/discussions/1")["events"][0]["id"]
    head = world.commit(api, {"later.txt": b"later"}, "a later commit")
    target.large, target.oid = large, hashlib.sha256(large).hexdigest()
    target.revisions = ["main", head, quoted("refs/pr/1"), old]
    shelf = world.json("POST", "/api/collections", {"title": f"shelf of {key}", "namespace": "lab", "private": True})
    item = {"type": kind, "id": first}
    target.item = world.json("POST", f"/api/collections/{shelf['slug']}/items", {"item": item})["items"][0]["_id"]
    world.json("POST", f"/api/collections/{world.open_shelf}/items", {"item": item})  # type: ignore[attr-defined]
    target.collection = shelf["slug"]
    if len(names) > 1:
        world.json("POST", "/api/repos/move", {"fromRepo": first, "toRepo": names[0], "type": kind})
    if settings:
        world.json("PUT", f"/api/{kind}s/{names[0]}/settings", settings)
    target.private, target.gated = settings.get("private", False), bool(settings.get("gated"))
    target.secrets = [mark, target.oid, old, blob(pointer(target.oid, len(large)))]
    target.secrets += [blob(files[name]) for name in (target.file, "config.json", "folder/x.txt")]
    if target.private:
        target.secrets += [*names, head, shelf["slug"]]
    return target


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("routes")
    (folder / "users.yaml").write_text(USERS)
    root = open_root(folder / "root")
    services = Services(root)
    services.accounts.replace(load_users(folder / "users.yaml"))
    found = World(HubApp(services), services, asyncio.new_event_loop())
    found.open_shelf = found.json("POST", "/api/collections", {"title": "open shelf", "namespace": "lab"})["slug"]  # type: ignore[attr-defined]
    for who, token in (("bob", CALLERS["stranger"]), ("lab", CALLERS["owner"])):
        create = {"name": "copies", **({} if who == "bob" else {"organization": who})}
        found.json("POST", "/api/repos/create", create, token)
    make(found, "data", "dataset", ["lab/open-data"])
    found.targets = {
        "public": make(found, "public", "model", ["lab/public"]),
        "gated": make(found, "gated", "model", ["lab/gated"], gated="auto"),
        "private": make(found, "private", "model", ["lab/private-one"], private=True),
        "moved": make(found, "moved", "model", ["lab/moved-to", "lab/moved-from"], gated="manual"),
        "hidden": make(found, "hidden", "dataset", ["lab/hidden-now", "lab/hidden-was"], private=True),
    }
    yield found
    found.loop.close()
    root.close()


def signed(world: World, asked: Asked, target: Target, caller: str) -> tuple[str, str]:
    """Return path and bearer with a signed token: the caller's for the repository, or for one that they may read."""
    token = CALLERS[caller]
    for repo in (target.names[0], "lab/public"):
        entry = {"oid": target.oid, "size": len(target.large)}
        if asked.link.startswith("LINK"):
            operation = "download" if asked.link == "LINK_TO_GET" else "upload"
            kind = "datasets/" if target.kind == "dataset" and repo == target.names[0] else ""
            other = world.targets["public"]
            if repo == "lab/public" and operation == "download":
                entry = {"oid": other.oid, "size": len(other.large)}
            batch = json.dumps({"operation": operation, "objects": [entry]}).encode()
            path = f"/{kind}{repo}.git/info/lfs/objects/batch"
            answer = world.ask("POST", path, token, batch, content_type="application/json")
            actions = json.loads(answer.body)["objects"][0].get("actions") if answer.status == 200 else None
            if actions:
                return f"{asked.path}?{next(iter(actions.values()))['href'].partition('?')[2]}", ""
            if answer.status == 200 and operation == "upload":
                return "", ""  # it is there, and may be used
        else:
            word = "read" if asked.link == "XET_READ" else "write"
            kind = target.kind if repo == target.names[0] else "model"
            answer = world.ask("GET", f"/api/{kind}s/{repo}/xet-{word}-token/main", token)
            if answer.status == 200:
                return asked.path, json.loads(answer.body)["accessToken"]
    return asked.path, ""


def every(world: World, caller: str, keys: list[str]) -> Iterator[tuple[Target, Asked, Answer]]:
    """Yield every request about the repositories `keys` with its answer to a caller; each read also as HEAD."""
    for key in keys:
        target = world.targets[key]
        target.copies_to = "bob/copies" if caller == "stranger" else "lab/copies"
        for asked in chain.from_iterable(requests_of(route, target) for route in ROUTES):
            path, token = asked.path, CALLERS[caller]
            if asked.link:
                path, token = signed(world, asked, target, caller)
            if not path:
                continue
            for method in ("GET", "HEAD") if asked.method == "GET" and caller == "anonymous" else (asked.method,):
                yield target, asked, world.ask(method, path, token, asked.body, **asked.headers)


def kept_from(world: World, caller: str) -> list[str]:
    """Return what a caller may not learn of any repository."""
    found = [target.secrets for target in world.targets.values() if target.private or target.gated]
    return list(chain.from_iterable(found)) if caller in OUTSIDERS else []


def wrong(world: World, caller: str, keys: list[str]) -> list[str]:
    """Return what is wrong with the answers to a caller: leaks and failures of the server."""
    secrets, found = kept_from(world, caller), []
    for _, asked, answer in every(world, caller, keys):
        sent = f"{asked.path} ".encode() + asked.body
        got = answer.everything
        leaks = [text for text in secrets if text.encode() in got and text.encode() not in sent]
        if leaks or answer.status >= 500:
            found.append(f"{caller}: {asked.method} {asked.path} {answer.status} {leaks}")
    return found


def renamed(target: Any, asked: Any) -> Any:
    """Return the same request for a repository and a collection that do not exist."""
    path, body = asked.path, asked.body.decode("latin-1")
    for name in (*target.names, target.collection):
        other = f"{name[:-24]}{'0' * 24}" if name == target.collection else f"{name[:4]}{'z' * (len(name) - 4)}"
        for old, new in ((name, other), (name.split("/")[1], other.split("/")[1])):
            path, body = path.replace(old, new), body.replace(old, new)
    return replace(asked, path=path, body=body.encode("latin-1"))


@pytest.mark.parametrize("caller", OUTSIDERS)
def test_what_is_private_answers_as_what_does_not_exist(world, caller):
    for target in (target for target in world.targets.values() if target.private):
        target.copies_to = "bob/copies"
        for asked in chain.from_iterable(requests_of(route, target) for route in ROUTES):
            other = renamed(target, asked)
            if asked.link or (asked.path, asked.body) == (other.path, other.body) or "/create" in asked.path:
                continue
            found, missing = (
                world.ask(one.method, one.path, CALLERS[caller], one.body, **one.headers) for one in (asked, other)
            )
            sent = f"{asked.path} {asked.body.decode('latin-1')}"
            if asked.path == "/api/collections":  # its title is new
                continue
            assert (found.status, len(found.body)) == (missing.status, len(missing.body)), (sent, found, missing)


def differences(before: dict[str, set[Any]], after: dict[str, set[Any]]) -> dict[str, set[Any]]:
    return {name: before[name] ^ after[name] for name in before if before[name] != after[name]}


@pytest.mark.parametrize("caller", ["anonymous", "reader", "owner's reader"])
def test_who_may_not_write_learns_no_secret_and_changes_nothing(world, caller):
    before = world.state()
    assert wrong(world, caller, list(world.targets)) == []
    assert differences(before, world.state()) == {}


def test_a_stranger_learns_no_secret_and_adds_proposals_to_what_is_public_at_most(world):
    before = world.state(without="bob")
    assert wrong(world, "stranger", list(world.targets)) == []
    changed = differences(before, world.state(without="bob"))
    assert changed.keys() <= {"xet_files", "xorb_parts"}, "where chunks of his own lie"
    closed = world.services.db.rows("select id from repos where private = 1 or gated is not null")
    for table in PROPOSED:
        user = "user" if table == "uploads" else "author"
        rows = world.services.db.rows(f"select repo from {table} where {user} = 'bob'")
        assert not {row["id"] for row in closed} & {row["repo"] for row in rows}


def test_former_names_are_for_reading_only_also_for_those_who_may_write(world):
    before = world.state()
    changing = (Needs.PROPOSE, Needs.COMMIT, Needs.WRITE, Needs.WRITE_TOKEN)
    for caller, key in product(("member", "owner"), ("moved", "hidden")):
        target = world.targets[key]
        former = replace(target, names=target.names[1:], copies_to="lab/copies")
        for asked in chain.from_iterable(requests_of(route, former) for route in ROUTES):
            named = former.names[0].encode() in asked.path.encode() + asked.body or b"organization" in asked.body
            if asked.route.needs in changing and named and not asked.path.endswith(("/collections", "/create")):
                answer = world.ask(asked.method, asked.path, CALLERS[caller], asked.body, **asked.headers)
                assert answer.status == 404, (asked, answer)
                assert target.names[0].encode() in answer.body, "it says the present name"
    assert differences(before, world.state()) == {}


def test_those_who_may_do_all_of_it_so_the_requests_themselves_are_good(world):
    target = make(world, "spare", "model", ["lab/spare"])
    refused = []
    for reader in ("reader", "owner's reader"):
        for route in ROUTES:
            if route.needs in (Needs.EXISTENCE, Needs.CONTENT) and route.method == "GET":
                refused += [(reader, asked, answer) for asked, answer in good(world, reader, route, target)]
    for route in sorted(ROUTES, key=lambda route: ("/api/repos/" in route.pattern, "DELETE" in route.method)):
        refused += [("owner", asked, answer) for asked, answer in good(world, "owner", route, target)]
    # A model has no leaderboard, a name alone is no repository, nobody has that token, and the rest is gone by then.
    known = ("leaderboard", "{alone}", "/-/login", "/repos/delete", "/{slug}/items/{item}", "/api/{kind}/{repo?}")
    assert [one for one in refused if not any(word in one[1].route.pattern for word in known)] == []


def good(world: World, caller: str, route: Any, target: Any) -> Iterator[tuple[Any, Answer]]:
    """Yield the requests of a route that are refused."""
    for asked in requests_of(route, replace(target, copies_to="lab/copies")):
        path, token = signed(world, asked, target, caller) if asked.link else (asked.path, CALLERS[caller])
        if path and route.method != "*":
            answer = world.ask(asked.method, path, token, asked.body, **asked.headers)
            if answer.status >= 400 and answer.status != 409:  # 409: it is there already
                yield asked, answer


def test_a_link_ends_with_the_access_token_and_the_membership_of_who_asked_for_it(world):
    target = make(world, "left", "model", ["lab/left"], private=True)
    ask = next(one for one in requests_of_needs(Needs.LINK_TO_GET, target))
    path, _ = signed(world, ask, target, "member")
    assert world.ask("GET", path, "").status == 200
    directory = load_users(world.services.root.path.parent / "users.yaml")
    try:
        for users in (
            [user for user in directory.users if user.name != "cy"],
            [user.model_copy(update={"orgs": ()}) for user in directory.users],
            [user.model_copy(update={"tokens": user.tokens[1:]}) for user in directory.users],
        ):
            world.services.accounts.replace(directory.model_copy(update={"users": tuple(users)}))
            assert world.ask("GET", path, "").status in (401, 404)
    finally:
        world.services.accounts.replace(directory)
    assert world.ask("GET", path, "").status == 200


def requests_of_needs(needs: Needs, target: Any) -> Iterator[Any]:
    """Yield the requests of the routes that need something."""
    return chain.from_iterable(requests_of(route, target) for route in ROUTES if route.needs is needs)
