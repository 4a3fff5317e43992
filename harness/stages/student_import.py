"""Stage `import`: a model that is a file or a folder here, as a repository that can be trained and served."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.data.formats.strict_records import FrozenModel, load_record
from harness.errors import ModelError, UsageError
from harness.hub.artifact import README, FileInput
from harness.hub.client import Hub
from harness.hub.lineage import Lineage
from harness.models.engine.checkpoint import WEIGHTS_AND_TOKENIZER, check_config, check_listing
from harness.models.engine.guard import Guard
from harness.models.engine.model_files import card_metadata, check_files, read_head
from harness.models.imports.convert import AUTO, Converted, ToConvert, convert, head
from harness.models.imports.write_weights import COMPARED
from harness.stages._result import OutputTarget, StageResult, produce
from harness.terminal import progress, say

STAGE = "import"
VERSION = 1

_LISTED = frozenset(
    """
    apache-2.0 mit isc unlicense cc0-1.0 mpl-2.0 bsd bsd-2-clause bsd-3-clause gpl-3.0 lgpl-3.0 agpl-3.0
    cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-4.0 cc-by-nc-sa-4.0 cc-by-nc-nd-4.0
    openrail bigscience-openrail-m bigcode-openrail-m llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 gemma other
    """.split()  # noqa: SIM905 -- a list of texts would be a page long
)
"""Licences that the Hub has a name for; a card has others as `other` with their name."""
_SLUG = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}")
_LARGEST_TEXT = 200
_FLOAT32, _ELEMENT = 4, 4096
"""Bytes of a weight, and of what a reader keeps for an element of the metadata."""
_COPIES = 4
"""Of the weights in float32: the source, the one that is written, the one that is read again, and what is between."""
_SECONDS, _SECONDS_PER_WEIGHT, _SECONDS_PER_ELEMENT = 30.0, 2e-6, 5e-4
"""Of the processor; a conversion takes a tenth of them."""


class ImportRequest(FrozenModel):
    """What is imported."""

    source: Path
    """A GGUF file, or a folder with config.json, safetensors and a tokenizer."""
    dtype: str = AUTO
    """One of `harness.models.imports.convert.DTYPES`, or `auto`."""
    title: str | None = None
    """What the card calls the model, where its package is known; None: what its file says."""
    base_model: str | None = None
    """The repository that it was made from, where that is known."""
    license: str | None = None
    """Its licence, where that is known; None: what the source states, or nothing."""
    package: str | None = None
    """The package that the file came in."""
    place: OutputTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a source says of itself, as far as it is safe to repeat."""

    name: str
    organization: str | None
    license: str | None


def run(request: ImportRequest, hub: Hub) -> StageResult:
    """Convert the model and bring it to its place, or find it on the Hub.

    Raises UsageError where the source is neither, and ModelError where it cannot be read, is not whole, or answers
    otherwise once it is written.
    """
    files = _files(request.source)
    known = {"dtype": request.dtype, "package": request.package, "license": request.license}
    with progress("hashing the model"):
        inputs = tuple(str(_input(path, request.source)) for path in files)
    lineage = Lineage(
        stage=STAGE, version=VERSION, config={key: value for key, value in known.items() if value}, inputs=inputs
    )
    return produce(lineage, hub, request.place, partial(_make, request, inputs), "model")


def _files(source: Path) -> list[Path]:
    """Return the files that an import reads; UsageError where there are none, or no packages to read them."""
    if not source.exists():
        raise UsageError(f"there is no {source}; give a .gguf file, or a folder with a model's files")
    needed = ("gguf", "torch") if source.is_file() else ("torch",)
    if missing := [one for one in needed if not find_spec(one)]:
        raise UsageError(f"importing it takes {' and '.join(missing)}; install: pip install 'tft-harness[train]'")
    if source.is_file():
        return [source]
    found = sorted({path for one in WEIGHTS_AND_TOKENIZER for path in source.glob(one) if path.is_file()})
    ggufs = sorted(source.glob("*.gguf"))
    if ggufs and not any(path.name == "config.json" for path in found):
        raise UsageError(f"{source} is a folder of GGUF files; name one of them, such as {ggufs[0]}")
    check_listing(source.name, [path.relative_to(source).as_posix() for path in found])
    return found


def _input(path: Path, source: Path) -> FileInput:
    found = FileInput.of(path)
    return found if path == source else FileInput(name=path.relative_to(source).as_posix(), sha256=found.sha256)


def _make(request: ImportRequest, inputs: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """Write the model with its card, and return what it is."""
    from harness.reports.dataset_card import render

    name = Path(os.path.abspath(request.source)).name  # noqa: PTH100 -- of a link, its own name
    with Guard(name) as guard, progress("converting the model"):
        guard.start("harness.models.imports.convert", torch=True)
        weights, elements, origin = _look(request, guard, name)
        what = ToConvert(source=request.source.resolve(), name=name, out=folder, dtype=request.dtype)
        made = guard.call(
            convert,
            what,
            seconds=_SECONDS + _SECONDS_PER_WEIGHT * weights + _SECONDS_PER_ELEMENT * elements,
            memory=_COPIES * _FLOAT32 * weights + _ELEMENT * elements,
            file=_FLOAT32 * weights,
        )
    converted = load_record(Converted, made, name)
    remarks = notes(converted)
    card = render(
        "imported.md.jinja",
        name=str(request.place.repo_id or name).rpartition("/")[2],
        title=request.title or origin.name,
        request=request,
        origin=origin,
        licence=licence_metadata(origin.license),
        inputs=inputs,
        made=converted,
        compared=COMPARED,
        notes=remarks,
    )
    (folder / README).write_text(card, encoding="utf-8")
    for remark in remarks:
        say(remark)
    return {
        "parameters": converted.parameters,
        "dtype": converted.dtype,
        "stored": converted.stored,
        "license": origin.license,
        "notes": remarks,
    }


def _look(request: ImportRequest, guard: Guard, name: str) -> tuple[int, int, Origin]:
    """Return the weights and the elements of metadata that will be read, at most, and what the source says of itself.

    Raises ModelError where the source is refused before anything of it is loaded, or is too large for this machine.
    """
    source = request.source.resolve()
    if source.is_file():
        found = guard.call(head, source, name, seconds=_SECONDS)
        weights, elements, said = found["parameters"], found["elements"], found["said"]
    else:
        config = guard.call(read_head, source, name)["config"]
        check_config(name, config, [path.name for path in source.iterdir()])
        if config.get("quantization_config"):
            raise ModelError(f"{name} is quantised; import the model that it was made from, or a GGUF file of it")
        weights, elements = guard.call(check_files, source, name)["bytes"], 0  # at least a byte each
        said = {"license": guard.call(_stated_licence, source)}
    memory = _memory()
    needed = _COPIES * _FLOAT32 * weights
    if memory is not None and needed > memory:
        raise ModelError(
            f"importing {name} takes {needed / (1 << 30):,.1f} GiB of memory, and this machine has "
            f"{memory / (1 << 30):,.1f}; import it on a larger one"
        )
    said = {key: value if value is None else value[:_LARGEST_TEXT] for key, value in said.items()}
    stated = Origin(
        name=said.get("name") or name, organization=said.get("organization"), license=request.license or said["license"]
    )
    return weights, elements, stated


def _stated_licence(folder: Path) -> str | None:
    stated = card_metadata(folder / README).get("license")
    first = stated[0] if isinstance(stated, list) and stated else stated
    return first if isinstance(first, str) and first else None


def _memory() -> int | None:
    """Return the bytes of memory that this machine has; None where it does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def licence_metadata(stated: str | None) -> dict[str, str]:
    """Return the metadata of a card for a licence: nothing for none, and a name for one that the Hub does not list."""
    slug = (stated or "").strip().lower().replace(" ", "-")
    if slug in _LISTED:
        return {"license": slug}
    return {"license": "other", "license_name": slug} if _SLUG.fullmatch(slug) else {}


def notes(made: Converted) -> list[str]:
    """Return what whoever uses the model should know of its conversion, one sentence each."""
    found = list(made.remarks)
    if made.tried:
        found.append(
            f"Written as {' and '.join(made.tried)} it gave other greedy tokens than the source, so it is {made.dtype}."
        )
    if not made.template:
        found.append("The source has no chat template: the model has to be given one before it can be evaluated.")
    if made.not_given_back:
        found.append(f"The tokenizer does not give back {', '.join(made.not_given_back)} exactly as they were.")
    return found
