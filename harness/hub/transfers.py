"""Progress of uploads to and downloads from a Hub."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

from harness.hub.artifact import RepositoryName
from harness.terminal import Advance, progress

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from harness.hub.push_checks import Operation

LARGE = 32 << 20
"""Bytes from which on a transfer is worth a line."""


@contextmanager
def downloading(what: object) -> Iterator[Any]:
    """Yield a class of bars for the client's downloads, which shows their bytes together where those are many."""
    with ExitStack() as stack:
        yield _Downloads(f"downloading {what}", stack).bar


class _Downloads:
    """What the bars of one download count; the client may have one for what it received and one for what it wrote."""

    def __init__(self, doing: str, stack: ExitStack) -> None:
        self._doing, self._stack, self._lock = doing, stack, Lock()
        self._advance: Advance | None = None
        self._bars: list[_Bar] = []
        self._told = 0

    def bar(self, **settings: Any) -> _Bar:
        """Return a bar, as the client makes them; those that count files are of no interest."""
        bar = _Bar(self, int(settings.get("initial") or 0), settings.get("total"))
        if settings.get("unit") == "B":
            self._bars.append(bar)
        return bar

    def tell(self) -> None:
        with self._lock:
            done, total = (max((count or 0 for count in counts), default=0) for counts in self._counts())
            if self._advance is None and total >= LARGE:
                self._told = done
                self._advance = self._stack.enter_context(progress(self._doing, total, done=done, size=True))
            if self._advance:
                self._advance(steps=done - self._told, total=max(total, done))
                self._told = done

    def _counts(self) -> tuple[list[int], list[int | None]]:
        return [bar.n for bar in self._bars], [bar.total for bar in self._bars]


class _Bar:
    """The part of tqdm's bars that the client uses: it may also set `total` itself."""

    def __init__(self, downloads: _Downloads, n: int, total: int | None) -> None:
        self._downloads, self.n, self.total = downloads, n, total
        self.format_dict: dict[str, Any] = {}

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, n: float | None = 1) -> None:
        """Count bytes."""
        self.n += int(n or 0)
        self._downloads.tell()

    def refresh(self) -> None:
        """Look at the total again."""
        self._downloads.tell()

    def close(self) -> None:
        """Nothing is left open: the line or bar of all downloads ends with their block."""

    def set_description(self, *_: object, **__: object) -> None:
        """Leave the description as it is."""

    set_description_str = set_postfix_str = set_description


def send_large(
    api: HfApi,
    place: RepositoryName,
    operations: Sequence[Operation],
    *,
    branch: str | None = None,
    create_pr: bool = False,
) -> None:
    """Upload the large files among what a commit does, one after the other; the commit itself sends the rest.

    The client says nothing of a file until all of it is there, so the time left is known after the first one.
    """
    from huggingface_hub import CommitOperationAdd

    large = [one for one in operations if isinstance(one, CommitOperationAdd) and one.upload_info.size >= LARGE]
    if not large:
        return
    with progress(f"uploading to {place}", sum(one.upload_info.size for one in large), size=True) as advance:
        for one in large:
            api.preupload_lfs_files(
                place.repo_id, [one], repo_type=place.kind, revision=branch, create_pr=create_pr, free_memory=False
            )
            advance(steps=one.upload_info.size, note=one.path_in_repo)
