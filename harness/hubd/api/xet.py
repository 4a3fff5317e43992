"""Routes of the Xet protocol: tokens, xorbs, shards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from mmap import ACCESS_READ, mmap

from starlette.responses import Response, StreamingResponse

from ..errors import Refused, failed
from ..storage.xorbs import Shard, piece_name, piece_size, reconstruction, records
from .files import Content, byte_range, respond
from .request import Call, answer, whole_number
from .rights import issue


def write_token(call: Call) -> Response:
    """Issue a token for uploads to one repository."""
    # Clients remember per URL what they uploaded, and it counts for its author there only.
    return _token(call, f"{call.services.xet.name}-{_uploader(call).replace('/', '-')}", issue(call, "xet-upload"))


def _uploader(call: Call) -> str:
    """Return the owner of a xorb: its author, in the repository that it was uploaded to."""
    return f"{call.required_user().name}/{call.repo.id}"


def read_token(call: Call) -> Response:
    """Issue a token for downloads from one repository."""
    return _token(call, call.services.xet.name, issue(call, "xet-read"))


def _token(call: Call, store: str, issued: tuple[str, int]) -> Response:
    token, expires = issued
    url = f"{call.base}/xet/{store}"
    return answer(
        {"accessToken": token, "exp": expires, "casUrl": url},
        headers={"X-Xet-Cas-Url": url, "X-Xet-Access-Token": token, "X-Xet-Token-Expiration": str(expires)},
    )


def put_xorb(call: Call) -> Response:
    """Take a xorb: `/xet/{store}/v1/xorbs/default/{hash}`."""
    if call.upload is None:
        raise Refused(400, "A xorb is needed as body.")
    return answer({"was_inserted": call.services.xet.add_xorb(_uploader(call), call.segments[-1], call.upload)})


def put_shard(call: Call) -> Response:
    """Take a shard and unpack its files; progress and the outcome are lines of JSON (v2)."""
    if call.upload is None or not call.upload.size:
        raise Refused(400, "A shard is needed as body.")
    files = Shard(mmap(call.upload.file.fileno(), 0, access=ACCESS_READ))

    def unpacked() -> Iterator[str]:
        for sha256 in call.services.xet.unpack_shard(_uploader(call), files):
            call.services.references.uploaded(call.repo, call.required_user().name, sha256)
            yield sha256

    def lines() -> Iterator[bytes]:
        try:
            for done, _ in enumerate(unpacked(), start=1):
                yield _line({"type": "validating", "verified": done, "total": files.count})
        except Refused as error:
            yield _line({"type": "error", "message": error.message, "retryable": False})
        except Exception as error:  # the status is sent: only this line can say it
            yield _line({"type": "error", "message": failed(error).message, "retryable": False})
        else:
            yield _line({"type": "result"})

    if "v1" in call.segments:
        list(unpacked())
        return answer({"result": 1})
    return StreamingResponse(lines(), media_type="application/x-ndjson")


def reconstruct(call: Call) -> Response:
    """Say how to put together a file, or the Range of it that is asked for: `/v1/reconstructions/{sha256}`."""
    services, sha256 = call.services, call.segments[-1]
    size = services.blobs.size(sha256) if services.references.committed(call.repo, sha256) else None
    if size is None:
        raise Refused(404, "There is no such file.", code="EntryNotFound")
    start, end = byte_range(call, size) or (0, size)
    if start >= end:
        raise Refused(416, "The range starts after the end of the file.")
    link, _ = issue(call, "get", oid=sha256)
    url = f"{call.base}/xet/{services.xet.name}/get/{sha256}/{{piece}}?token={link}"
    return answer(reconstruction(sha256, size, start, end, url))


def get_piece(call: Call) -> Response:
    """Serve a piece of a large file in the form of a xorb, at a signed link."""
    sha256, piece = call.segments[-2], whole_number(call.segments[-1], 7)
    size = call.services.blobs.size(sha256)
    if size is None or piece is None or piece_size(size, piece) <= 0:
        raise Refused(404, "There is no such piece.", code="EntryNotFound")
    path = call.services.blobs.path(sha256)
    content = Content(size=piece_size(size, piece), read=lambda at, length: records(path, size, piece, at, length))
    return respond(call, content, {"ETag": f'"{piece_name(sha256, piece)}"'})


def _line(content: dict[str, object]) -> bytes:
    return json.dumps(content).encode() + b"\n"
