"""Edits of git trees: which paths are allowed, and how changes make a new tree."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dulwich.objects import Tree

from ..errors import Refused

FILE_MODE = 0o100644
FOLDER_MODE = 0o40000
PATH_LIMIT = 4096
NAME_LIMIT = 255
DEPTH_LIMIT = 200  # folders above a file
FOLDER_LIMIT = 50_000  # names in a folder: to read one of them, all are read


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A name in a tree: its git mode and the 40-hex id of its blob or subtree."""

    mode: int
    sha: str

    @property
    def is_folder(self) -> bool:
        """Return whether it is a folder."""
        return stat.S_ISDIR(self.mode)


Change = str | None  # the id of the new blob, or None: delete


def checked_path(path: object) -> str:
    """Return a path inside a repository without a trailing slash; raises Refused (422) for any that could escape it."""
    if not isinstance(path, str) or not path.strip("/"):
        raise Refused(422, "Invalid path: expected a non-empty path inside the repository.")
    clean = path.removesuffix("/")
    try:
        encoded = clean.encode()
    except UnicodeEncodeError as error:
        raise Refused(422, "Invalid path: it is not valid Unicode.") from error
    if len(encoded) > PATH_LIMIT or "\\" in clean or any(ord(c) < 32 or ord(c) == 127 for c in clean):
        raise Refused(422, f"Invalid path: {path[:200]!r} has a backslash or a control character, or is too long.")
    if clean.count("/") > DEPTH_LIMIT:
        raise Refused(422, f"Invalid path: {path[:200]!r} lies in more than {DEPTH_LIMIT} folders.")
    for name in clean.split("/"):
        if name in ("", ".", "..") or _is_dot_git(name) or len(name.encode()) > NAME_LIMIT:
            raise Refused(422, f"Invalid path: {path[:200]!r} may not contain {name[:80]!r}.")
    return clean


def _is_dot_git(name: str) -> bool:
    # Names that some file systems fold into `.git`.
    folded = name.lower().rstrip(". ")
    return folded in (".git", "git~1") or folded.startswith(".git:")


@dataclass(slots=True)
class _Node:
    blob: Change = None
    touched: bool = False  # the name itself is set or deleted
    children: dict[str, _Node] | None = None


def edited_tree(
    read: Callable[[str], Mapping[str, Entry]],
    add: Callable[[Tree], str],
    root: str | None,
    changes: Mapping[str, Change],
) -> str:
    """Return the id of the tree `root` with `changes` (path -> blob id or None) applied; new trees go through `add`.

    Raises Refused (422) where a file would have to be a folder as well.
    """
    top = _Node()
    for path, blob in changes.items():
        node = top
        for name in path.split("/"):
            node.children = node.children if node.children is not None else {}
            node = node.children.setdefault(name, _Node())
        node.touched, node.blob = True, blob
    return _edit(read, add, root, top, "") or add(Tree())


def _edit(
    read: Callable[[str], Mapping[str, Entry]], add: Callable[[Tree], str], sha: str | None, node: _Node, where: str
) -> str | None:
    """Return the new tree's id, None if nothing is left in it."""
    entries = dict(read(sha)) if sha else {}
    for name, child in (node.children or {}).items():
        path = f"{where}{name}"
        old = entries.get(name)
        if child.touched:
            old = None
            entries.pop(name, None)
        if child.blob is not None:
            if child.children and any(grandchild.blob for grandchild in child.children.values()):
                raise Refused(422, f"Invalid commit: {path} would be a file and a folder.")
            entries[name] = Entry(mode=FILE_MODE, sha=child.blob)
        elif child.children is not None:
            if old is not None and not old.is_folder:
                raise Refused(422, f"Invalid path: {path} is a file, nothing can be put below it.")
            subtree = _edit(read, add, old.sha if old else None, child, f"{path}/")
            entries.pop(name, None)
            if subtree is not None:
                entries[name] = Entry(mode=FOLDER_MODE, sha=subtree)
    if not entries:
        return None
    if len(entries) > FOLDER_LIMIT:
        raise Refused(422, f"{where or 'The root'} would hold more than {FOLDER_LIMIT:,} names; use more folders.")
    tree = Tree()
    for name, entry in entries.items():
        tree.add(name.encode("utf-8", "surrogateescape"), entry.mode, entry.sha.encode())
    return add(tree)
