"""New git objects on their way into a repository: written and synced beside it, so that nobody waits for them."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from dulwich.object_store import DiskObjectStore
from dulwich.objects import ShaFile

from ..root import INCOMING, fsync_folder


def write_loose(folder: Path, sha: str, item: ShaFile) -> None:
    """Write one object below `folder`: whole under its name, or not at all. Its folder is not yet synced."""
    target = folder / sha[:2] / sha[2:]
    if target.exists():
        return
    target.parent.mkdir(exist_ok=True)
    draft = folder / f"tmp_obj_{secrets.token_hex(8)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(item.as_legacy_object())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


class IncomingPack:
    """A pack in a folder of its own inside the repository, until it is moved to the others."""

    def __init__(self, repository: Path, objects: Iterable[ShaFile]) -> None:
        """Write and check the pack; raises OSError, and then leaves nothing."""
        self._packs = repository / "objects" / "pack"
        self._folder = repository / f"{INCOMING}{secrets.token_hex(8)}"
        try:
            store = DiskObjectStore.init(str(self._folder))
            store.fsync_object_files = True
            pack = store.add_objects([(item, None) for item in objects])
            self._pack = self._folder / "pack" / Path(pack.data.filename).name if pack is not None else None
            store.close()
        except BaseException:
            self.discard()
            raise

    def move(self) -> None:
        """Put the pack beside the others, durably; the caller holds the lock of the repository."""
        if self._pack is not None and not (self._packs / self._pack.with_suffix(".idx").name).exists():
            # The index last: without it a pack is not there. A pack of that name has the same objects.
            for part in (self._pack, self._pack.with_suffix(".idx")):
                part.replace(self._packs / part.name)
        fsync_folder(self._packs)

    def discard(self) -> None:
        """Remove what was not moved."""
        shutil.rmtree(self._folder, ignore_errors=True)
