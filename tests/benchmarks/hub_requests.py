"""A grammar of requests to the embedded Hub: every route, mostly valid."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from typing import Any
from urllib.parse import quote, urlencode

from hub_words import ALONE, CARDS, KINDS, METHODS, NAMES, PAGES, PATHS, READS, TABS, TOKENS, Request, Words

from harness.hubd.storage.blobs import pointer


class Grammar(Words):
    """Makes requests."""

    def request(self) -> Request:
        """Return the next request."""
        draw = self.draw
        shares = {
            self._read: 8, self._page: 6, self._commit: 8, self._preupload: 2, self._refs: 5, self._repos: 4,
            self._lfs: 4, self._xet: 6, self._discuss: 5, self._collect: 5, self._paths_info: 3, self._yaml: 1,
            self._anything: 3,
        }  # fmt: skip
        made = draw.choices([*shares], [*shares.values()])[0]()
        token = draw.choice(TOKENS)
        if token and "authorization" not in made.headers:
            made.headers["authorization"] = f"Bearer {token}"
        if draw.random() < 0.1:
            made.headers["accept"] = "text/html,*/*"
        if draw.random() < 0.1:
            made.headers["range"] = draw.choice(
                ["bytes=0-", "bytes=-5", "bytes=3-1", "bytes=99999-", "bytes=a-b", "x", "bytes=0-1,3-4"]
            )
        if draw.random() < 0.05:
            made.headers[draw.choice(["host", "cookie", "if-none-match", "content-type", "if-range"])] = self.text(50)
        if draw.random() < 0.15:
            self.spoil(made)
        return made

    def _read(self) -> Request:
        if self.draw.random() < 0.05:
            kind, name = self.repo()
            cached = f"/api/resolve-cache/{kind}/{name}/{self.fill('{rev}/{path}')}"
            return Request(
                "GET",
                self.draw.choice(["/api/whoami-v2", quote(cached.encode("utf-8", "surrogatepass"), safe="/%")]),
                self.query(),
            )
        path = (
            self.api(self.fill(self.draw.choice(READS)))
            if self.draw.random() < 0.9
            else f"/api/{self.draw.choice(KINDS)}"
        )
        return Request("GET", path, self.query())

    def _page(self) -> Request:
        (kind, name), draw = self.repo(), self.draw
        below, collection = self.fill(draw.choice(TABS)), "/".join(map(self.segment, self.pick(self.slugs).split("/")))
        if draw.random() < 0.05:  # names of the Hub's own models have no owner
            name, below = name.partition("/")[2], self.fill(draw.choice(ALONE))
        page = (
            draw.choice([*PAGES, f"collections/{collection}"])
            if draw.random() < 0.25
            else f"{'' if kind == 'models' else kind + '/'}{self.segment(name).replace('%2F', '/')}/{below}"
        )
        made = Request(self.draw.choice(["GET", "GET", "HEAD"]), f"/{page}".rstrip("/") or "/", self.query())
        if self.draw.random() < 0.8:
            made.headers["accept"] = "text/html"
        if page == "-/login" and draw.random() < 0.5:
            form = urlencode({"token": self.text(), "next": self.text()}).encode()
            made = Request("POST", f"/-/{draw.choice(['login', 'login', 'logout'])}", "", form)
        return made

    def _content(self, path: str) -> bytes:
        if self.draw.random() < 0.1:
            data = self.draw.choice(self.large)
            return pointer(hashlib.sha256(data).hexdigest(), len(data))
        if path.endswith((".md", ".yaml")):
            return self.pick(CARDS).encode("utf-8", "surrogatepass")
        return self.draw.choice(
            [
                b"",
                b"text\n",
                b'{"a": 1}\n',
                b"\xff\xfe",
                self.draw.randbytes(50),
                b"PAR1" + self.draw.randbytes(40) + b"PAR1",
            ]
        )

    def _operation(self) -> dict[str, Any]:
        path, kind = (
            self.pick(PATHS, 0.02),
            self.draw.choices(["file", "lfsFile", "deletedFile", "deletedFolder", self.junk()], [40, 6, 2, 1, 1])[0],
        )
        value: dict[str, Any] = {"path": path}
        if kind == "file":
            value |= {"content": base64.b64encode(self._content(path)).decode(), "encoding": "base64"}
        if kind == "lfsFile":
            data = self.draw.choice(self.large)
            value |= {"algo": "sha256", "oid": hashlib.sha256(data).hexdigest(), "size": len(data)}
        if self.draw.random() < 0.02:
            value[self.draw.choice(["path", "content", "encoding", "oid", "size", "algo", "mode"])] = self.value()
        return {"key": kind, "value": value}

    def _commit(self) -> Request:
        header = {"summary": self.pick(["s", "title"], 0.05), "description": self.pick(["", "d"], 0.05)}
        if self.draw.random() < 0.2:
            header["parentCommit"] = self.pick(self.shas, 0.2)
        lines = [
            {"key": "header", "value": header},
            *(self._operation() for _ in range(self.draw.choice([0, 1, 1, 2, 5, 15]))),
        ]
        if self.draw.random() < 0.03:
            self.draw.shuffle(lines)
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        query = "create_pr=1" if self.draw.random() < 0.15 else ""
        return Request(
            "POST",
            self.api(f"commit/{self.segment(self.revision())}"),
            query,
            body,
            {"content-type": "application/x-ndjson"},
        )

    def _preupload(self) -> Request:
        files = [{"path": self.pick(PATHS), "size": self.pick([1, 0, 10**9]), "sample": "eA=="} for _ in range(3)]
        return Request(
            "POST",
            self.api(f"preupload/{self.segment(self.revision())}"),
            self.query(),
            self.json(files=files, gitIgnore="*.x"),
        )

    def _refs(self) -> Request:
        name, draw = self.pick(["dev", "dev/x", "dev/x/y", "v1", "v2", "main"], 0.15), self.draw
        kind = draw.choice(["branch", "tag", "tag", "super-squash"])
        body = self.json(startingPoint=self.revision(), tag=name, message=self.pick(["", "m"]))
        place = self.revision() if kind == "tag" and draw.random() < 0.7 else name
        return Request(draw.choice(["POST", "POST", "DELETE"]), self.api(f"{kind}/{self.segment(place)}"), "", body)

    def _repos(self) -> Request:
        (kind, name), draw = self.repo(), self.draw
        owner, _, short = name.partition("/")
        common = {"type": kind[:-1], "name": short, "organization": owner}
        action = draw.choices(["create", "delete", "move", "settings"], [16, 1, 1, 2])[0]
        if action == "settings":
            return Request(
                "PUT",
                self.api("settings"),
                "",
                self.json(visibility=self.pick(["public", "private"]), gated=draw.choice(["auto", False])),
            )
        if action == "move":
            return Request(
                "POST", "/api/repos/move", "", self.json(fromRepo=name, toRepo=self.repo()[1], type=kind[:-1])
            )
        body = self.json(**common, sdk="static", private=draw.choice([True, False, None]))
        return Request("POST" if action == "create" else "DELETE", f"/api/repos/{action}", "", body)

    def _lfs(self) -> Request:
        draw = self.draw
        if draw.random() < 0.5:
            path, data = draw.choice(self.links)
            path, _, query = path.partition("?")
            return Request(
                draw.choice(["PUT", "PUT", "GET"]),
                f"/{path.lstrip('/')}",
                query,
                data if draw.random() < 0.8 else draw.randbytes(20),
            )
        kind, name = self.repo()
        self.keep(self.large, draw.randbytes(draw.choice([1, 100, 5000])))
        objects = [{"oid": hashlib.sha256(data).hexdigest(), "size": len(data)} for data in draw.sample(self.large, 2)]
        body = self.json(operation=draw.choice(["upload", "upload", "download"]), transfers=["basic"], objects=objects)
        if draw.random() < 0.2:
            target = {"type": self.repo()[0][:-1], "name": self.repo()[1]}
            files = [{"sha256": item["oid"]} for item in objects]
            return Request("POST", self.api("lfs-files/duplicate"), "", self.json(target=target, files=files))
        place = f"{'' if kind == 'models' else kind + '/'}{quote(name.encode('utf-8', 'surrogatepass'))}"
        return Request("POST", f"/{place}.git/info/lfs/objects/batch", "", body)

    def _xet(self) -> Request:
        draw = self.draw
        (cas, token), data = draw.choice(self.xet[-5:]), draw.choice(self.large)
        headers = {"authorization": f"Bearer {token}"}
        xorb = hashlib.sha256(b"xorb" + data).digest()
        name = "".join(f"{part:016x}" for part in struct.unpack("<4Q", xorb))
        what = draw.choice(["token", "xorb", "xorb", "shard", "shard", "read", "get"])
        if what == "token":
            return Request("GET", self.api(f"xet-{draw.choice(['write', 'write', 'read'])}-token/main"))
        if what == "xorb":
            body = self.damage(b"\0" + len(data).to_bytes(3, "little") + b"\0" + len(data).to_bytes(3, "little") + data)
            return Request(
                "POST",
                f"{cas}/v1/xorbs/default/{name if draw.random() < 0.95 else self.segment(self.junk())}",
                "",
                body,
                headers,
            )
        if what == "shard":
            return Request(
                "POST",
                f"{cas}/{draw.choice(['v1/shards', 'v2/shards', 'v1/shard'])}",
                "",
                self.damage(_shard(xorb, data)),
                headers,
            )
        sha256 = hashlib.sha256(data).hexdigest()
        path = (
            f"v1/reconstructions/{sha256}" if what == "read" else f"get/{sha256}/{draw.choice(['0', '1', '-1', 'x'])}"
        )
        return Request("GET", f"{cas}/{path}", self.query(), b"", headers)

    def _discuss(self) -> Request:
        number, draw = self.segment(str(self.pick([1, 1, 2, 3]))), self.draw
        if draw.random() < 0.05:
            return Request("DELETE", self.api(f"discussions/{number}"))
        if draw.random() < 0.2:
            comment = self.pick(self.comments) if draw.random() < 0.9 else self.api(f"discussions/{number}/comment/x")
            place = quote(comment.lstrip("/").encode("utf-8", "surrogatepass"), safe="/%")
            return Request(
                "POST", f"/{place}/{draw.choice(['edit', 'hide'])}", "", self.json(content=self.pick(["better"]))
            )
        action = draw.choice(
            ["", f"/{number}/comment", f"/{number}/title", f"/{number}/status", f"/{number}/merge", f"/{number}/x"]
        )
        body = self.json(
            title=self.pick(["t"]),
            description="d",
            pullRequest=draw.choice([True, False]),
            comment=self.pick(["c"]),
            status=self.pick(["open", "closed"]),
        )
        return Request("POST", self.api(f"discussions{action}"), "", body)

    def _collect(self) -> Request:
        draw, slug = self.draw, self.pick(self.slugs)
        slug = "/".join(self.segment(part) for part in slug.split("/"))
        kind, name = self.repo()
        shape = draw.choice(["list", "create", "show", "update", "update", "delete", "add", "add", "change", "remove"])
        item = f"/api/collections/{slug}/items/{self.segment(self.pick(self.items))}"
        requests = {
            "list": ("GET", "/api/collections", {}),
            "create": (
                "POST",
                "/api/collections",
                {"title": self.pick(["x", "y", "z"]), "namespace": self.pick(["ada", "lab"]), "private": False},
            ),
            "show": ("GET", f"/api/collections/{slug}", {}),
            "update": (
                "PATCH",
                f"/api/collections/{slug}",
                {"title": self.pick(["q"]), "position": 1, "private": True, "theme": "pink"},
            ),
            "delete": ("DELETE", f"/api/collections/{slug}", {}),
            "add": (
                "POST",
                f"/api/collections/{slug}/items",
                {"item": {"type": kind[:-1], "id": name}, "note": self.pick(["n"])},
            ),
            "change": ("PATCH", item, {"note": "n", "position": self.pick([0, 3])}),
            "remove": ("DELETE", item, {}),
        }
        method, path, body = requests[shape]
        return Request(method, path, self.query() if shape == "list" else "", self.json(**body) if body else b"")

    def _paths_info(self) -> Request:
        pairs = [("paths", self.pick(PATHS, 0.2)), ("paths", self.pick(PATHS)), ("expand", "true")]
        body = urlencode([(key, value.encode("utf-8", "surrogatepass")) for key, value in pairs]).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        if self.draw.random() < 0.2:
            body, headers = self.json(paths=self.pick(PATHS), expand=True), {"content-type": "application/json"}
        return Request("POST", self.api(f"paths-info/{self.segment(self.revision())}"), "", body, headers)

    def _yaml(self) -> Request:
        return Request("POST", "/api/validate-yaml", "", self.json(content=self.pick(CARDS), repoType="model"))

    def _anything(self) -> Request:
        parts = [self.segment(self.junk()[:300]) for _ in range(self.draw.randint(0, 6))]
        return Request(
            self.draw.choice(METHODS),
            "/" + "/".join(parts),
            self.query(),
            self.draw.randbytes(self.draw.choice([0, 5, 500])),
        )


def _shard(xorb: bytes, data: bytes) -> bytes:
    file = hashlib.sha256(b"file" + data).digest()
    sha256 = struct.pack("<4Q", *(int(hashlib.sha256(data).hexdigest()[at : at + 16], 16) for at in range(0, 64, 16)))
    records = [b"HFRepoMetaDa" + bytes(36), file + struct.pack("<II", 1 << 30, 1) + bytes(8)]
    records += [xorb + struct.pack("<IIII", 0, len(data), 0, 1), sha256 + bytes(16), b"\xff" * 32 + bytes(16)]
    return b"".join(records)


def beginning() -> list[Request]:
    """Return valid requests that fill a fresh Hub with repositories, branches, tags, proposals and a collection."""
    token = {"authorization": "Bearer hf_ada"}
    made = []
    for kind in KINDS:
        for name in NAMES[:3]:
            body = {"type": kind[:-1], "name": name, "sdk": "static"}
            made.append(Request("POST", "/api/repos/create", "", json.dumps(body).encode(), token))
            lines = [{"key": "header", "value": {"summary": "first"}}]
            for path in PATHS:
                if path != "b":
                    content = base64.b64encode(f"{CARDS[0]} {path}".encode()).decode()
                    lines.append({"key": "file", "value": {"path": path, "content": content, "encoding": "base64"}})
            commit = b"\n".join(json.dumps(line).encode() for line in lines)
            place = f"/api/{kind}/ada/{name}"
            made += [Request("POST", f"{place}/commit/main", query, commit, token) for query in ("", "create_pr=1")]
            made.append(Request("POST", f"{place}/branch/dev", "", b"{}", token))
            made.append(Request("POST", f"{place}/tag/main", "", b'{"tag": "v1", "message": "m"}', token))
    made.append(Request("POST", "/api/collections", "", b'{"title": "x"}', token))
    return made
