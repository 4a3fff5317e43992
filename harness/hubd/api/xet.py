"""Routes of the Xet protocol: tokens, xorbs, shards."""

from __future__ import annotations

import json
from collections.abc import Iterator

from starlette.responses import Response, StreamingResponse

from ..errors import Refused, failed
from ..storage.repos import RepoRow, check_content
from ..storage.xet_reads import piece_name, piece_size, reconstruction, records
from ..storage.xorbs import Shard
from .ranges import Content, byte_range, respond
from .request import Call, answer

TOKEN_SECONDS = 3600


def write_token(call: Call) -> Response:
    """Issue a token for uploads to one repository."""
    # Whoever sees a repository may upload: a pull request needs it. The commit itself is checked later.
    repo, author = call.repo, call.required_user()
    if author.role != "write":
        raise Refused(403, "Forbidden: this token can only read; use a write token to upload.")
    # Clients remember per URL what they uploaded, and it counts for its author only.
    claims = {"do": "xet-upload", "repo": repo.id, "author": author.name}
    return _token(call, f"{call.services.xet.name}-{author.name}", claims)


def read_token(call: Call) -> Response:
    """Issue a token for downloads from one repository."""
    check_content(call.repo, call.user)
    return _token(call, call.services.xet.name, {"do": "xet-read", "repo": call.repo.id})


def _token(call: Call, store: str, claims: dict[str, str]) -> Response:
    token, expires = call.services.signer.issue(claims, seconds=TOKEN_SECONDS)
    url = f"{call.base}/xet/{store}"
    return answer(
        {"accessToken": token, "exp": expires, "casUrl": url},
        headers={"X-Xet-Cas-Url": url, "X-Xet-Access-Token": token, "X-Xet-Token-Expiration": str(expires)},
    )


def may_upload(call: Call) -> tuple[RepoRow, str]:
    """Return the repository that the caller's token is for, and the user it was issued to; raises Refused."""
    token = call.headers.get("authorization", "").removeprefix("Bearer ")
    claims = call.services.signer.check(token, do="xet-upload")
    repo = call.services.repos.by_id(claims["repo"])
    if repo is None:
        raise Refused(404, "The repository of this upload is gone.", code="RepoNotFound")
    return repo, claims["author"]


def put_xorb(call: Call) -> Response:
    """Take a xorb: `/xet/{store}/v1/xorbs/default/{hash}`."""
    _, author = may_upload(call)
    if call.upload is None:
        raise Refused(400, "A xorb is needed as body.")
    return answer({"was_inserted": call.services.xet.add_xorb(author, call.segments[-1], call.upload)})


def put_shard(call: Call) -> Response:
    """Take a shard and unpack its files; progress and the outcome are lines of JSON (v2)."""
    repo, author = may_upload(call)
    files = Shard(call.body)
    services = call.services

    def lines() -> Iterator[bytes]:
        try:
            for done, sha256 in enumerate(services.xet.unpack_shard(author, files), start=1):
                services.repos.hold(repo, sha256)
                yield _line({"type": "validating", "verified": done, "total": files.count})
        except Refused as error:
            yield _line({"type": "error", "message": error.message, "retryable": False})
        except Exception as error:  # the status is sent: only this line can say it
            yield _line({"type": "error", "message": failed(error).message, "retryable": False})
        else:
            yield _line({"type": "result"})

    if "v1" in call.segments:
        for sha256 in services.xet.unpack_shard(author, files):
            services.repos.hold(repo, sha256)
        return answer({"result": 1})
    return StreamingResponse(lines(), media_type="application/x-ndjson")


def reconstruct(call: Call) -> Response:
    """Say how to put together a file, or the Range of it that is asked for: `/v1/reconstructions/{sha256}`."""
    token = call.headers.get("authorization", "").removeprefix("Bearer ")
    services = call.services
    claims = services.signer.check(token, do="xet-read")
    sha256 = call.segments[-1]
    size = services.blobs.size(sha256) if services.repos.holds(claims["repo"], sha256) else None
    if size is None:
        raise Refused(404, "There is no such file.", code="EntryNotFound")
    start, end = byte_range(call, size)
    if start >= end:
        raise Refused(416, "The range starts after the end of the file.")
    link, _ = services.signer.issue({"do": "xet-get", "oid": sha256}, seconds=TOKEN_SECONDS)
    url = f"{call.base}/xet/{services.xet.name}/get/{sha256}/{{piece}}?token={link}"
    return answer(reconstruction(sha256, size, start, end, url))


def get_piece(call: Call) -> Response:
    """Serve a piece of a large file in the form of a xorb, at a signed link."""
    sha256, number = call.segments[-2:]
    call.services.signer.check(call.query.get("token", ""), do="xet-get", oid=sha256)
    size = call.services.blobs.size(sha256)
    piece = int(number) if number.isascii() and number.isdigit() and len(number) < 8 else -1
    if size is None or piece < 0 or piece_size(size, piece) <= 0:
        raise Refused(404, "There is no such piece.", code="EntryNotFound")
    path = call.services.blobs.path(sha256)
    content = Content(size=piece_size(size, piece), read=lambda at, length: records(path, size, piece, at, length))
    return respond(call, content, {"ETag": f'"{piece_name(sha256, piece)}"'})


def _line(content: dict[str, object]) -> bytes:
    return json.dumps(content).encode() + b"\n"
