"""Routes for content: files and byte ranges of them, and the LFS protocol."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from ..errors import Refused, entry_not_found
from ..storage.blobs import SHA256, stream
from ..storage.repos import check_present_name
from ..storage.usage import check_room
from .request import Call, answer, text_of
from .rights import LINK_SECONDS, check_propose, issue

RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
FILES_AT_ONCE = 1000  # clients name 500 at most
_TEXT = "text/plain; charset=utf-8"
# What a card may show. SVG is not among them: it can hold scripts.
_IMAGES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Bytes to serve: in memory (`data`), in a file (`path`), or made on the way by `read(start, length)`."""

    size: int
    data: bytes = b""
    path: Path | None = None
    read: Callable[[int, int], Iterator[bytes]] | None = None

    def stream(self, start: int, length: int) -> Iterator[bytes] | None:
        """Return an iterator over `length` bytes from `start`, None if they are in memory."""
        if self.read is not None:
            return self.read(start, length)
        return stream(self.path, start, length) if self.path else None


def respond(call: Call, content: Content, headers: dict[str, str]) -> Response:
    """Return 200, 206 with the range asked for, 304 if the client has it, or 416."""
    headers = {**headers, "Accept-Ranges": "bytes"}
    etag = headers.get("ETag")
    if etag and call.headers.get("if-none-match") in (etag, "*"):
        return Response(status_code=304, headers=headers)
    start, end, status = 0, content.size, 200
    asked = byte_range(call, content.size)
    if asked is not None and call.headers.get("if-range", etag) == etag:
        start, end = asked
        if start >= end:
            return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{content.size}"})
        status = 206
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{content.size}"
    headers["Content-Length"] = str(end - start)
    if call.method == "HEAD":
        return Response(status_code=status, headers=headers)
    parts = content.stream(start, end - start)
    if parts is None:
        return Response(content.data[start:end], status_code=status, headers=headers)
    return StreamingResponse(parts, status_code=status, headers=headers)


def byte_range(call: Call, size: int) -> tuple[int, int] | None:
    """Return the first byte and the one after the last of the Range header, None without one.

    The two are equal or crossed if the range lies outside of `size` bytes.
    """
    wanted = RANGE.fullmatch(call.headers.get("range", "").strip())
    if wanted is None or not (wanted[1] or wanted[2]):
        return None
    if not wanted[1]:
        return max(size - int(wanted[2]), 0), size
    return int(wanted[1]), min(int(wanted[2]) + 1, size) if wanted[2] else size


def resolve(call: Call) -> Response:
    """Serve a file of a revision (GET and HEAD, with ranges): `/{repo}/resolve/{rev}/{path}`."""
    commit, path, sha = _named_file(call)
    facts = call.git().facts(sha)
    media = _IMAGES.get(path.rpartition(".")[2].lower(), "application/octet-stream" if facts.sha256 else _TEXT)
    headers = _headers(path, commit, facts.etag, media)
    if facts.sha256:
        if call.services.blobs.size(facts.sha256) != facts.size:
            raise Refused(500, f"This Hub lost the content of {path}; its `hub verify` says what else is missing.")
        headers |= {"X-Linked-Etag": f'"{facts.sha256}"', "X-Linked-Size": str(facts.size)}
        if (xet_hash := call.services.xet.hash_of(call.repo.id, facts.sha256)) is not None:
            route = f"{call.base}/api/{call.repo.kind}s/{call.repo.name}/xet-read-token/{commit}"
            headers |= {"X-Xet-Hash": xet_hash, "X-Xet-Refresh-Route": route, "Link": f'<{route}>; rel="xet-auth"'}
        return respond(call, Content(size=facts.size, path=call.services.blobs.path(facts.sha256)), headers)
    return respond(call, Content(size=facts.size, data=call.git().blob(sha)), headers)


def _named_file(call: Call) -> tuple[str, str, str]:
    """Return the commit, the path, and the id of the blob that the address names; raises Refused (404)."""
    git, path = call.git(), "/".join(call.segments[1:])
    commit = git.resolve(call.segments[0])
    entry = git.entry(commit, path)
    if entry is None or entry.is_folder:
        raise entry_not_found(path, commit)
    return commit, path, entry.sha


def _headers(path: str, commit: str, etag: str, media: str) -> dict[str, str]:
    """Return the headers of a file; what people upload is text, a picture or a download, never run by a browser."""
    return {
        "X-Repo-Commit": commit,
        "ETag": f'"{etag}"',
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(path.rsplit('/', maxsplit=1)[-1])}",
        "Content-Type": media,
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }


def lfs_batch(call: Call) -> Response:
    """Say for each object where to put or get it; links are signed and expire."""
    body = call.json()
    operation, objects = body.get("operation"), body.get("objects")
    if operation not in ("upload", "download") or not isinstance(objects, list):
        raise Refused(422, "An LFS batch needs operation upload or download, and a list of objects.")
    _check_number(objects)
    if operation == "upload":
        # Readers of a repository may upload: a pull request needs it. The commit itself is checked later.
        check_propose(call.repo, call.required_user())
        check_present_name(call.repo, call.name)
    found = [_lfs_object(call, operation, item) for item in objects]
    check_room(sum(item["size"] for item in found if "upload" in item.get("actions", ())))
    response = answer({"transfer": "basic", "objects": found, "hash_algo": "sha256"})
    response.headers["Content-Type"] = "application/vnd.git-lfs+json"
    return response


def _lfs_object(call: Call, operation: str, item: Any) -> dict[str, Any]:
    sha256, size = (item.get("oid"), item.get("size")) if isinstance(item, dict) else (None, None)
    if not isinstance(sha256, str) or not SHA256.fullmatch(sha256) or not isinstance(size, int) or size < 0:
        raise Refused(422, "Each object of an LFS batch needs oid (64 hex digits) and size (bytes).")
    references, blobs = call.services.references, call.services.blobs
    described: dict[str, Any] = {"oid": sha256, "size": size}
    if operation == "upload":
        if references.may_use(call.user, call.repo, sha256):
            blobs.touch(sha256)
            return described
        token, _ = issue(call, "put", oid=sha256, size=size)
        return {**described, "actions": {"upload": _link(call, sha256, token)}}
    if blobs.size(sha256) is None or not references.committed(call.repo, sha256):
        return {**described, "error": {"code": 404, "message": "Object does not exist"}}
    token, _ = issue(call, "get", oid=sha256)
    return {**described, "actions": {"download": _link(call, sha256, token)}}


def _check_number(files: list[Any]) -> None:
    if len(files) > FILES_AT_ONCE:
        raise Refused(413, f"{len(files)} files are too many for one request; name {FILES_AT_ONCE} at most.")


def _link(call: Call, sha256: str, token: str) -> dict[str, Any]:
    return {"href": f"{call.base}/lfs/{sha256}?token={token}", "expires_in": LINK_SECONDS}


def lfs_put(call: Call) -> Response:
    """Take a large file at a signed link; 400 if its size or sha256 is not the announced one."""
    services, sha256 = call.services, call.segments[0]
    if call.upload is None:
        raise Refused(400, "A file is needed as body.")
    if call.upload.size != call.claims["size"]:
        raise Refused(400, f"The upload has {call.upload.size} bytes, announced were {call.claims['size']}.")
    services.blobs.keep(call.upload, sha256=sha256)
    services.references.uploaded(call.repo, call.required_user().name, sha256)
    return Response(status_code=200)


def lfs_get(call: Call) -> Response:
    """Serve a large file at a signed link."""
    sha256 = call.segments[0]
    size = call.services.blobs.size(sha256)
    if size is None:
        raise Refused(404, "Object does not exist", code="EntryNotFound")
    content = Content(size=size, path=call.services.blobs.path(sha256))
    return respond(call, content, {"ETag": f'"{sha256}"', "Content-Type": "application/octet-stream"})


def raw(call: Call) -> Response:
    """Serve what git stores: a large file's pointer instead of its content."""
    commit, path, sha = _named_file(call)
    data = call.git().blob(sha)
    return respond(call, Content(size=len(data), data=data), _headers(path, commit, sha, _TEXT))


def duplicate(call: Call) -> Response:
    """Let the caller refer to large files of this repository in another one (`/lfs-files/duplicate`)."""
    body, services, user = call.json(), call.services, call.required_user()
    target, files = body.get("target"), body.get("files")
    if not isinstance(target, dict) or not isinstance(files, list):
        raise Refused(400, "'target' and 'files' are needed.")
    _check_number(files)
    kind, name = text_of(target, "type"), text_of(target, "name")
    repo = services.repos.readable(kind, name, user)
    check_propose(repo, user)
    check_present_name(repo, name)
    done, failed = [], []
    for item in files:
        sha256 = str(item.get("sha256")) if isinstance(item, dict) else ""
        known = SHA256.fullmatch(sha256) and services.blobs.size(sha256) is not None
        if not known or not services.references.committed(call.repo, sha256):
            failed.append({"sha256": sha256, "error": "There is no such file."})
        else:
            done.append({"sha256": sha256})
    services.references.uploaded(repo, user.name, *(item["sha256"] for item in done))
    return answer({"success": done, "failed": failed})
