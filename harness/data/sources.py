"""The source files: which they are, where they lie, and how they are fetched and verified.

`datasets/sources.yaml` pins each file by repository, commit and sha256. A file is verified whenever
it is read, so that nothing is ever built from a damaged or newer one.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import yaml

from harness import resources
from harness.errors import SourceError, UsageError
from harness.hub.address import check_bare_address, public_address
from harness.hub.artifact import FileInput

Progress = Callable[[str, int, int], None]
"""Called with a file's path, the bytes it has now, and the bytes it will have."""

_CHUNK = 1 << 18
_TIMEOUT_SECONDS = 30
_ATTEMPTS = 4
_PAUSE_SECONDS = 0.5
"""The n-th retry waits n times as long."""
_HTTP_PARTIAL = 206
_HTTP_RANGE = 416


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One pinned file: its place in the sources folder, and where it comes from."""

    path: str
    repository: str
    """`repository@commit`."""
    url_path: str
    """The file's address below the base URL: repository, commit and path."""
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """A folder with source files; only the declared ones are ever read."""

    folder: Path
    files: dict[str, SourceFile]

    def read(self, path: str) -> bytes:
        """Return the content of a declared file; SourceError where it is missing or not the pinned one."""
        target = self.folder / path
        try:
            content = target.read_bytes()
        except OSError as error:
            raise SourceError(
                f"cannot read the source file {target} ({error.strerror}); run `tft sources fetch --to {self.folder}`"
            ) from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.files[path].sha256:
            raise SourceError(
                f"{target} is not the pinned file: expected sha256 {self.files[path].sha256}, found {found}; "
                f"delete it and run `tft sources fetch --to {self.folder}`"
            )
        return content

    def inputs(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Return lineage inputs: the repositories as `repository@commit`, then each file as `path@sha256:hex`."""
        chosen = [self.files[path] for path in paths]
        repositories = dict.fromkeys(file.repository for file in chosen)
        return (*repositories, *(str(FileInput(name=file.path, sha256=file.sha256)) for file in chosen))


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """The files that are needed, by path, and where they are fetched from."""

    base_url: str
    files: dict[str, SourceFile]


def declared() -> Declaration:
    """Return what `datasets/sources.yaml` declares."""
    document = yaml.safe_load((resources.folder("datasets") / "sources.yaml").read_text(encoding="utf-8"))
    files = {
        entry["to"]: SourceFile(
            path=entry["to"],
            repository=f"{repository['name']}@{repository['commit']}",
            url_path=f"{repository['name']}/{repository['commit']}/{entry['path']}",
            size=entry["bytes"],
            sha256=entry["sha256"],
        )
        for repository in document["repositories"]
        for entry in repository["files"]
    }
    return Declaration(base_url=document["base_url"], files=files)


def cache_folder(kind: str = "sources") -> Path:
    """Return the user's folder for what is fetched: the sources, or something else."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "tft" / kind


def locate(folder: Path | None = None) -> Sources:
    """Return the sources in `folder`, else in TFT_SOURCES, else in the cache.

    Raises SourceError where that folder has none of them. Each file is verified when it is read, and
    the schemas are asked for only by those who read them.
    """
    named = folder or (Path(os.environ["TFT_SOURCES"]) if os.environ.get("TFT_SOURCES") else None)
    chosen = named or cache_folder()
    files = declared().files
    if not any((chosen / path).is_file() for path in files):
        option = f" --to {chosen}" if named else ""
        raise SourceError(
            f"{chosen} holds none of the {len(files)} source files (such as {next(iter(files))}); "
            f"run `tft sources fetch{option}`, or name the folder that has them with --sources or TFT_SOURCES"
        )
    return Sources(folder=chosen, files=files)


def fetch(
    folder: Path,
    *,
    declaration: Declaration | None = None,
    base_url: str | None = None,
    progress: Progress | None = None,
) -> Sources:
    """Download what `folder` lacks, verify everything, and return the sources.

    Verified files are kept, half-fetched ones (`.part`) continued. Raises SourceError where the
    network or a checksum fails; what was fetched by then stays, so the next run resumes from there.
    """
    wanted = declaration or declared()
    base = (base_url or wanted.base_url).rstrip("/")
    if not base.startswith(("https://", "http://")):
        shown = public_address(base)
        raise UsageError(f"{shown!r} is no address to download from; give one that starts with https:// or http://")
    check_bare_address(base, "the address to download from", "a mirror is asked without them")
    for file in wanted.files.values():
        target = folder / file.path
        if not (target.is_file() and _sha256(target) == file.sha256):
            _fetch_file(file, f"{base}/{file.url_path}", target, progress)
        if progress:
            progress(file.path, file.size, file.size)
    return Sources(folder=folder, files=wanted.files)


def _fetch_file(file: SourceFile, url: str, target: Path, progress: Progress | None) -> None:
    """Fetch one file into its `.part`, verify that and move it into place."""
    part = target.with_name(f"{target.name}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    resumed = part.exists()
    _complete(file, url, part, progress)
    found = _sha256(part)
    if found != file.sha256 and resumed:
        # The earlier half may be of another download: fetch all of it once before giving up.
        part.unlink()
        _complete(file, url, part, progress)
        found = _sha256(part)
    if found != file.sha256:
        part.unlink()
        raise SourceError(
            f"{url} is not the pinned file: expected sha256 {file.sha256}, found {found}; a proxy or mirror may have "
            "changed it: run `tft sources fetch` again, or fetch over another network"
        )
    part.replace(target)


def _complete(file: SourceFile, url: str, part: Path, progress: Progress | None) -> None:
    """Download until `part` has the file's size; a connection that breaks is taken up where it broke."""
    reason: object = "the answer was too short"
    for attempt in range(_ATTEMPTS):
        time.sleep(attempt * _PAUSE_SECONDS)
        try:
            _download(file, url, part, progress)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != _HTTP_RANGE:
                raise SourceError(
                    f"{url} answered {error.code} {error.reason}; check the address and try again"
                ) from error
            part.unlink()
        except urllib.error.URLError as error:
            raise SourceError(
                f"cannot download {url} ({error.reason}); check the network (and HTTPS_PROXY), then run "
                "`tft sources fetch` again: it resumes where it stopped"
            ) from error
        except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
            reason = error or type(error).__name__
        if part.exists() and part.stat().st_size >= file.size:
            return
    raise SourceError(
        f"{url} broke off {_ATTEMPTS} times ({reason}), the last at byte {part.stat().st_size if part.exists() else 0} "
        f"of {file.size}; run `tft sources fetch` again: it resumes where it stopped"
    )


def _download(file: SourceFile, url: str, part: Path, progress: Progress | None) -> None:
    start = part.stat().st_size if part.exists() else 0
    if start >= file.size:
        return
    headers = {"User-Agent": "tft-harness"} | ({"Range": f"bytes={start}-"} if start else {})
    # S310: `fetch` lets only http and https addresses through.
    request = urllib.request.Request(url, headers=headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
        # A server without ranges answers 200 and sends the whole file.
        mode = "ab" if start and response.status == _HTTP_PARTIAL else "wb"
        with part.open(mode) as stream:
            _copy(response, stream, file, progress)


def _copy(response: IO[bytes], stream: IO[bytes], file: SourceFile, progress: Progress | None) -> None:
    # An answer longer than the pinned file is not that file: the checksum will say so, no need to store it all.
    while stream.tell() <= file.size and (chunk := response.read(_CHUNK)):
        stream.write(chunk)
        if progress:
            progress(file.path, stream.tell(), file.size)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
