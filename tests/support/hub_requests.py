"""Every request that the routes of the Hub allow, made from their patterns: addresses and bodies for one repository.

A route whose pattern or body is not described here is an error: whoever adds one says how it is asked.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any
from urllib.parse import quote

from harness.hubd.server.routes import Route

JSON = {"content-type": "application/json"}
LINES = {"content-type": "application/x-ndjson"}
RAW = {"content-type": "application/octet-stream"}


@dataclass(kw_only=True)
class Target:
    """A repository that requests are about: `names` it is addressed by, what is in it, and signed tokens for it."""

    kind: str
    names: list[str]
    private: bool = False
    gated: bool = False
    file: str = ""
    large: bytes = b""
    oid: str = ""
    revisions: list[str] = field(default_factory=list)
    """main, a full id, a pull request, an older commit."""
    comment: str = ""
    collection: str = ""
    item: str = ""
    copies_to: str = ""
    secrets: list[str] = field(default_factory=list)
    """Texts, names and hashes of what only some may read."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request without its caller. `link` says which signed token it needs, in the query or as a bearer."""

    route: Route
    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""
    link: str = ""


def requests_of(route: Route, target: Target) -> Iterator[Asked]:
    """Yield the requests of a route about a repository."""
    if route.pattern.startswith("/api/{rest") or "{rest+}" in route.pattern:
        return  # endpoints that do not exist
    method = "PUT" if route.method == "*" else route.method
    for tokens in _forms(route, target):
        for name in target.names:
            places = [_values(route, token, target, name) for token in tokens]
            for chosen, (headers, body) in product(product(*places), _bodies(route, target, name)):
                path = "/" + "/".join(part for part in chosen if part)
                yield Asked(route=route, method=method, path=path, headers=headers, body=body, link=_link(route))


def _forms(route: Route, target: Target) -> list[tuple[str, ...]]:
    tokens = tuple(route.pattern.strip("/").split("/"))
    if tokens[0] != "{kind?}":
        return [tokens]
    prefixed = (f"{target.kind}s", *tokens[1:])
    return [prefixed, tokens[1:]] if target.kind == "model" else [prefixed]


def _values(route: Route, token: str, target: Target, name: str) -> list[str]:
    """Return what may stand for one token of a pattern; raises KeyError for a placeholder that nobody described."""
    if not token.startswith("{"):
        return [token]
    key = (route.method, "/".join(route.pattern.split("/")[-2:]))
    own = {
        ("POST", "branch/{branch+}"): ["fresh"],
        ("DELETE", "branch/{branch+}"): ["side"],
        ("POST", "super-squash/{branch+}"): ["other"],
        ("DELETE", "tag/{tag+}"): ["v0"],
        ("POST", "{num}/merge"): ["2"],
        ("DELETE", "discussions/{num}"): ["3"],
        ("POST", "commit/{rev+}"): ["main"],
        ("POST", "tag/{rev+}"): ["main"],
        ("POST", "preupload/{rev+}"): ["main"],
    }
    if key in own and token in key[1]:
        return own[key]
    if token == "{rev+}":
        folders = re.search(r"/(revision|commits|commit|paths-info)/", route.pattern)
        if "/resolve" in route.pattern or "/raw/" in route.pattern or "/blob/" in route.pattern:
            return [f"{revision}/{path}" for revision in target.revisions for path in (target.file, "w.bin")]
        return target.revisions if folders else [*target.revisions, f"{target.revisions[0]}/folder"]
    owner, _, slug = target.collection.partition("/")
    return {
        "{kind}": [f"{target.kind}s"],
        "{repo}": [name],
        "{repo?}": [name],
        "{alone}": [name.split("/")[1]],
        "{repo.git}": [name, f"{name}.git"],
        "{rev*}": ["main"],
        "{rest*}": ["nothing"],
        "{num}": ["1"],
        "{num*}": ["", "1", "2"],
        "{comment}": [target.comment],
        "{split*}": [""],
        "{oid}": [target.oid],
        "{piece}": ["0"],
        "{store}": ["store"],
        "{version}": ["v1"],
        "{prefix}": ["default"],
        "{xorb}": ["a" * 64],
        "{owner}": [owner],
        "{slug}": [slug],
        "{item}": [target.item],
    }[token]


def _link(route: Route) -> str:
    return route.needs.name if route.needs.name.startswith(("LINK", "XET")) else ""


def _lines(*items: tuple[str, dict[str, Any]]) -> bytes:
    return b"".join(json.dumps({"key": key, "value": value}).encode() + b"\n" for key, value in items)


def _shard(size: int) -> bytes:
    """Return a shard that says: a file is the one chunk of the xorb named aaa..."""
    segment = bytes.fromhex("aa" * 32) + struct.pack("<IIII", 0, size, 0, 1)
    return b"HFRepoMetaDa" + bytes(36) + bytes(32) + struct.pack("<IIQ", 0, 1, 0) + segment + b"\xff" * 32 + bytes(16)


def _bodies(route: Route, target: Target, name: str) -> list[tuple[dict[str, str], bytes]]:
    """Return the bodies to try; raises KeyError for a route that takes one which nobody described."""
    if route.method in ("GET", "*"):
        return [({}, b"")]
    namespace, _, alone = name.partition("/")
    entry = {"oid": target.oid, "size": len(target.large)}
    repo = {"type": target.kind, "name": alone, "organization": namespace}
    copy = {"target": {"type": "model", "name": target.copies_to}, "files": [{"sha256": target.oid}]}
    header = ("header", {"summary": "changed"})
    commit = _lines(
        header, ("file", {"path": "new.txt", "content": "eA==", "encoding": "base64"}),
        ("lfsFile", {"path": "again.bin", "algo": "sha256", **entry}),
    )  # fmt: skip
    length = len(target.large).to_bytes(3, "little")
    item = {"item": {"type": target.kind, "id": name}}
    contents: dict[tuple[str, str], list[Any]] = {
        ("POST", "objects/batch"): [{"operation": o, "objects": [entry]} for o in ("download", "upload")],
        ("PUT", "lfs/{oid}"): [target.large],
        ("POST", "{prefix}/{xorb}"): [b"\0" + length + b"\0" + length + target.large],
        ("POST", "{version}/shards"): [_shard(len(target.large))],
        ("POST", "{version}/shard"): [_shard(len(target.large))],
        ("POST", "paths-info/{rev+}"): [{"paths": [target.file, "w.bin"], "expand": True}],
        ("POST", "preupload/{rev+}"): [{"files": [{"path": target.file, "size": 3, "sample": ""}]}],
        ("POST", "commit/{rev+}"): [commit],
        ("POST", "branch/{branch+}"): [{}],
        ("DELETE", "branch/{branch+}"): [b""],
        ("POST", "tag/{rev+}"): [{"tag": "fresh", "message": "a message"}],
        ("DELETE", "tag/{tag+}"): [b""],
        ("POST", "super-squash/{branch+}"): [{}],
        ("PUT", "{repo}/settings"): [{"gated": "manual"}],
        ("POST", "lfs-files/duplicate"): [copy],
        ("POST", "{repo}/discussions"): [{"title": "new"}, {"title": "new", "pullRequest": True}],
        ("POST", "{num}/comment"): [{"comment": "words"}],
        ("POST", "{num}/title"): [{"title": "other words"}],
        ("POST", "{num}/status"): [{"status": "closed"}],
        ("POST", "{num}/merge"): [{}],
        ("POST", "{comment}/edit"): [{"content": "better words"}],
        ("POST", "{comment}/hide"): [b""],
        ("DELETE", "discussions/{num}"): [b""],
        ("POST", "api/collections"): [{"title": f"of {alone}", "namespace": "lab"}],
        ("PATCH", "{owner}/{slug}"): [{"description": "changed"}],
        ("DELETE", "{owner}/{slug}"): [b""],
        ("POST", "{slug}/items"): [item],
        ("PATCH", "items/{item}"): [{"note": "changed"}],
        ("DELETE", "items/{item}"): [b""],
        ("POST", "api/validate-yaml"): [{"content": "---\na: 1\n---"}],
        ("POST", "repos/create"): [{"name": f"fresh-{alone}", "organization": "lab", "type": "model"}],
        ("POST", "repos/move"): [{"fromRepo": name, "toRepo": f"{namespace}/gone-{alone}", "type": target.kind}],
        ("DELETE", "repos/delete"): [repo],
        ("POST", "-/login"): [{"token": "hf_nobody"}],
        ("POST", "-/logout"): [b""],
    }
    found = contents[route.method, "/".join(route.pattern.split("/")[-2:])]
    return [
        (RAW if not route.pattern.startswith("/api") else LINES, item)
        if isinstance(item, bytes)
        else (JSON, json.dumps(item).encode())
        for item in found
    ]


def quoted(revision: str) -> str:
    """Return a revision as one segment of a path."""
    return quote(revision, safe="")
