"""Names of promoted repositories in card metadata and evaluation results, brought over to their new owner."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness.hub.artifact import README, Artifact
from harness.hub.client import Hub
from harness.hub.promotion.record import without_record
from harness.hub.repository import File, blob_id

_RESULTS = re.compile(r"\.eval_results/[^/]+\.ya?ml")
_METADATA = re.compile(rb"---[ \t]*\r?\n.*?^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_COMMIT = re.compile(rb"\b[0-9a-f]{40}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkMap:
    """What names lead to after a promotion. Empty `names` change nothing."""

    source: str = ""
    """Address of the Hub that gives; `target` of the one that receives."""
    target: str = ""
    names: dict[str, str] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=dict)
    """Tagged commits of the source -> the commits of the target with the same tag; filled as they are made."""

    def rewritten(self, path: str, content: bytes) -> bytes:
        """Return a file with its names brought over; in the README only the metadata block is touched."""
        if path != README:
            return self._replaced(content)
        block = _METADATA.match(content)
        return self._replaced(block[0]) + content[block.end() :] if block else content

    def _replaced(self, text: bytes) -> bytes:
        for old, new in self.names.items():
            there, here = re.escape(old.encode()), new.encode()
            page = re.escape(self.source.encode()) + rb"/((?:datasets/|spaces/)?)" + there + rb"(?![\w.-])"
            text = re.sub(page, self.target.encode() + rb"/\g<1>" + here, text)
            text = re.sub(rb"(?<![\w./-])" + there + rb"(?![\w./-])", here, text)
        known = {old.encode(): new.encode() for old, new in self.commits.items()}
        return _COMMIT.sub(lambda m: known.get(m[0], m[0]), text)


def wanted_main(source: Hub, wanted: Artifact, links: LinkMap) -> tuple[dict[str, File], dict[str, bytes]]:
    """Return the tree that the target's main should have, its record aside, and the contents that were rewritten."""
    tree = without_record(source.tree(wanted))
    contents: dict[str, bytes] = {}
    paths = [path for path in tree if links.names and (path == README or _RESULTS.fullmatch(path))]
    for path in paths:
        content = source.fetch(wanted, path).read_bytes()
        new = links.rewritten(path, content)
        if new != content:
            contents[path] = new
            tree[path] = File(path=path, size=len(new), hash=blob_id(new), large=False)
    return tree, contents
