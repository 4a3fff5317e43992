"""Routes for content: resolve, and the LFS protocol."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from ..errors import Refused, entry_not_found
from ..storage.blobs import SHA256
from ..storage.repos import RepoRow, check_content
from .ranges import Content, respond
from .request import Call, answer, text_of

LINK_SECONDS = 3600

_TEXT = "text/plain; charset=utf-8"
# What a card may show. SVG is not among them: it can hold scripts.
_IMAGES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}


def resolve(call: Call) -> Response:
    """Serve a file of a revision (GET and HEAD, with ranges): `/{repo}/resolve/{rev}/{path}`."""
    check_content(call.repo, call.user)
    git = call.git()
    commit = git.resolve(call.segments[0])
    path = "/".join(call.segments[1:])
    entry = git.entry(commit, path)
    if entry is None or entry.is_folder:
        raise entry_not_found(path, commit)
    facts = git.facts(entry.sha)
    media = _IMAGES.get(path.rpartition(".")[2].lower(), "application/octet-stream" if facts.sha256 else _TEXT)
    headers = _headers(path, commit, facts.etag, media)
    if facts.sha256:
        if call.services.blobs.size(facts.sha256) != facts.size:
            raise Refused(500, f"This Hub lost the content of {path}; its `hub verify` says what else is missing.")
        headers |= {"X-Linked-Etag": f'"{facts.sha256}"', "X-Linked-Size": str(facts.size)}
        if (xet_hash := call.services.xet.hash_of(facts.sha256)) is not None:
            route = f"{call.base}/api/{call.repo.kind}s/{call.repo.name}/xet-read-token/{commit}"
            headers |= {"X-Xet-Hash": xet_hash, "X-Xet-Refresh-Route": route, "Link": f'<{route}>; rel="xet-auth"'}
        return respond(call, Content(size=facts.size, path=call.services.blobs.path(facts.sha256)), headers)
    return respond(call, Content(size=facts.size, data=git.blob(entry.sha)), headers)


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
    if operation == "download":
        check_content(call.repo, call.user)
    elif call.repo and call.required_user().role != "write":
        # Whoever sees a repository may upload: a pull request needs it. The commit itself is checked later.
        raise Refused(403, "Forbidden: this token can only read; use a write token to upload.")
    found = [_lfs_object(call, operation, item) for item in objects]
    response = answer({"transfer": "basic", "objects": found, "hash_algo": "sha256"})
    response.headers["Content-Type"] = "application/vnd.git-lfs+json"
    return response


def _lfs_object(call: Call, operation: str, item: Any) -> dict[str, Any]:
    sha256, size = (item.get("oid"), item.get("size")) if isinstance(item, dict) else (None, None)
    if not isinstance(sha256, str) or not SHA256.fullmatch(sha256) or not isinstance(size, int) or size < 0:
        raise Refused(422, "Each object of an LFS batch needs oid (64 hex digits) and size (bytes).")
    services = call.services
    described: dict[str, Any] = {"oid": sha256, "size": size}
    known = services.blobs.size(sha256) is not None and services.repos.may_use(call.user, sha256)
    if operation == "upload":
        if known:
            services.blobs.touch(sha256)
            return described
        claims = {"do": "lfs-put", "oid": sha256, "size": size, "repo": call.repo.id}
        token, _ = services.signer.issue(claims, seconds=LINK_SECONDS)
        return {**described, "actions": {"upload": _link(call, sha256, token)}}
    if not known:
        return {**described, "error": {"code": 404, "message": "Object does not exist"}}
    token, _ = services.signer.issue({"do": "lfs-get", "oid": sha256}, seconds=LINK_SECONDS)
    return {**described, "actions": {"download": _link(call, sha256, token)}}


def _link(call: Call, sha256: str, token: str) -> dict[str, Any]:
    return {"href": f"{call.base}/lfs/{sha256}?token={token}", "expires_in": LINK_SECONDS}


def may_put(call: Call) -> tuple[RepoRow, int]:
    """Return the repository and the size that a signed link for an upload is for; raises Refused."""
    claims = call.services.signer.check(call.query.get("token", ""), do="lfs-put", oid=call.segments[0])
    repo = call.services.repos.by_id(claims["repo"])
    if repo is None:
        raise Refused(404, "The repository of this upload is gone.", code="RepoNotFound")
    call.announced = claims["size"]
    return repo, claims["size"]


def lfs_put(call: Call) -> Response:
    """Take a large file at a signed link; 400 if its size or sha256 is not the announced one."""
    services, sha256 = call.services, call.segments[0]
    repo, size = may_put(call)
    if call.upload is None or call.upload.size != size:
        got = call.upload.size if call.upload else 0
        raise Refused(400, f"The upload has {got} bytes, announced were {size}.")
    services.blobs.keep(call.upload, sha256=sha256)
    services.repos.hold(repo, sha256)
    return Response(status_code=200)


def lfs_get(call: Call) -> Response:
    """Serve a large file at a signed link."""
    sha256 = call.segments[0]
    call.services.signer.check(call.query.get("token", ""), do="lfs-get", oid=sha256)
    size = call.services.blobs.size(sha256)
    if size is None:
        raise Refused(404, "Object does not exist", code="EntryNotFound")
    content = Content(size=size, path=call.services.blobs.path(sha256))
    return respond(call, content, {"ETag": f'"{sha256}"', "Content-Type": "application/octet-stream"})


def raw(call: Call) -> Response:
    """Serve what git stores: a large file's pointer instead of its content."""
    check_content(call.repo, call.user)
    git = call.git()
    commit = git.resolve(call.segments[0])
    path = "/".join(call.segments[1:])
    entry = git.entry(commit, path)
    if entry is None or entry.is_folder:
        raise entry_not_found(path, commit)
    data = git.blob(entry.sha)
    return respond(call, Content(size=len(data), data=data), _headers(path, commit, entry.sha, _TEXT))


def duplicate(call: Call) -> Response:
    """Let another repository of the caller refer to large files of this one (`/lfs-files/duplicate`)."""
    if call.segments != ["duplicate"]:
        raise Refused(404, "This Hub has no such endpoint.")
    check_content(call.repo, call.user)
    body, services = call.json(), call.services
    target, files = body.get("target"), body.get("files")
    if not isinstance(target, dict) or not isinstance(files, list):
        raise Refused(400, "'target' and 'files' are needed.")
    repo = services.repos.readable(text_of(target, "type"), text_of(target, "name"), call.required_user())
    done, failed = [], []
    for item in files:
        sha256 = str(item.get("sha256")) if isinstance(item, dict) else ""
        if services.blobs.size(sha256) is None or not services.repos.may_use(call.user, sha256):
            failed.append({"sha256": sha256, "error": "There is no such file."})
        else:
            services.repos.hold(repo, sha256)
            done.append({"sha256": sha256})
    return answer({"success": done, "failed": failed})
