"""Carry out the plan of a repository: revisions, their tags, then main, then visibility; what is done stays done."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HubError
from harness.hub.artifact import Artifact, RepositoryName
from harness.hub.client import Hub
from harness.hub.promotion.difference import TreeChanges, changes
from harness.hub.promotion.plan import FIRST, LinkMap, PromotionPlan, desired_main
from harness.hub.promotion.record import RECORD, dump, title, without_record
from harness.hub.push_checks import check_outgoing, operations
from harness.hub.repository import File, RepositoryState, Tree
from harness.hub.transfers import LARGE
from harness.terminal import progress

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd

    from harness.hub.push_checks import Operation

_DOWNLOADS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One repository on its way. Large files that the target has in any known revision are copied there."""

    source: Hub
    target: Hub
    plan: PromotionPlan
    links: LinkMap
    say: Callable[[str], None]
    stored: dict[str, tuple[str, str]] = field(default_factory=dict)
    """SHA-256 of the target's large files -> a commit and a path of it."""

    @property
    def place(self) -> RepositoryName:
        """Return where the repository goes."""
        return self.plan.place

    def given(self, commit: str) -> Artifact:
        """Return a commit of the source."""
        return self.plan.source.place.at(commit)

    def run(self) -> None:
        """Carry out the plan; may be interrupted at any moment and run again.

        Raises HubError where the target does not end with the same files, or moved meanwhile.
        """
        if not self.plan.needed:
            return
        here = self._prepared()
        main = self.plan.target.main if self.plan.target else here.main
        head = here.branches[self.plan.branch]
        for commit in {main, head, *(commit for _, commit in self.plan.kept.values())}:
            self._remember(commit)
        tags = dict(self.plan.kept)
        for revision in self.plan.revisions:
            self.say(f"{self.place}: {', '.join(revision.tags)}")
            head = self._commit(head, revision.commit)
            self.links.commits[revision.commit] = head
            for tag in revision.tags:
                self.target.tag(self.place.at(head), tag, move=tag in revision.moved)
                tags[tag] = (revision.commit, head)
        self.say(f"{self.place}: main")
        if ".gitignore" in self.source.tree(self.given(self.plan.main)):
            self._commit(head, self.plan.main)  # clients may leave files out: found on the branch, before main moves
        self._main(main, tags)
        self._finish(here)

    def _prepared(self) -> RepositoryState:
        """Return the target with its branch for work; made, private, where it was missing."""
        plan, kind = self.plan, self.place.kind
        here = plan.target
        if here is None:
            self.target.create(self.place, private=True, sdk=plan.source.sdk if kind == "space" else None)
        if here is None or plan.branch not in here.branches:
            with self.target.errors(self.place):
                self.target.api.create_branch(self.place.repo_id, branch=plan.branch, repo_type=kind, exist_ok=True)
        found = self.target.state(self.place)
        if found is None or plan.branch not in found.branches:
            raise HubError(f"{self.place} vanished from {self.target.endpoint} while it was filled; run this again")
        return found

    def _remember(self, commit: str) -> Tree:
        tree = self.target.tree(self.place.at(commit))
        for file in tree.values():
            if file.large:
                self.stored.setdefault(file.hash, (commit, file.path))
        return tree

    def _commit(self, head: str, commit: str) -> str:
        """Make the files of the branch for work equal those of a commit of the source; return its new head."""
        have, want = self._remember(head), self.source.tree(self.given(commit))
        difference = self._difference(head, have, commit, want)
        if not difference:
            return head
        with tempfile.TemporaryDirectory(prefix="tft-promote-") as folder:
            wanted = self._operations(self.plan.branch, difference, commit, Path(folder))
            made = self._push(self.plan.branch, head, commit, wanted)
        self._check(self._difference(made, self._remember(made), commit, want))
        return made

    def _main(self, head: str, tags: Mapping[str, tuple[str, str]]) -> None:
        """Give main its files and the record, in one commit."""
        plan, commit = self.plan, self.plan.main
        have = without_record(self._remember(head))
        want, contents = desired_main(self.source, self.given(commit), self.links)
        record = dump(
            self.source.endpoint, plan.source, commit, tags=tags, rewritten=list(contents), before=plan.before
        )
        difference = self._difference(head, have, commit, want)
        copied = TreeChanges(
            added=tuple(f for f in difference.added if f.path not in contents), removed=difference.removed
        )
        with tempfile.TemporaryDirectory(prefix="tft-promote-") as folder:
            wanted = self._operations("main", copied, commit, Path(folder))
            made = self._push("main", head, commit, [*wanted, *operations({**contents, RECORD: record})])
        self._check(self._difference(made, without_record(self._remember(made)), commit, want))

    def _push(self, branch: str, head: str, commit: str, wanted: list[Operation]) -> str:
        message = title(self.plan.source, commit)
        return self.target.commit(self.place, wanted, message=message, branch=branch, parent=head).oid

    def _difference(self, head: str, have: Tree, commit: str, want: Tree) -> TreeChanges:
        return changes((self.target, self.place.at(head)), have, (self.source, self.given(commit)), want)

    def _check(self, left: TreeChanges) -> None:
        """Raise HubError where a commit did not make the target equal the source."""
        if left:
            path = left.added[0].path if left.added else left.removed[0]
            raise HubError(
                f"{self.place} on {self.target.endpoint} differs from the source after the copy, first in {path!r}; "
                "does a .gitignore of the repository leave it out?"
            )

    def _operations(self, branch: str, difference: TreeChanges, commit: str, folder: Path) -> list[Operation]:
        from huggingface_hub import CommitOperationCopy

        known = [file for file in difference.added if file.large and file.hash in self.stored]
        fresh = [file for file in difference.added if file.large and file.hash not in self.stored]
        small = [file for file in difference.added if not file.large]
        found = operations({}, difference.removed)
        for file in known:
            revision, path = self.stored[file.hash]
            found.append(CommitOperationCopy(path, file.path, src_revision=revision))
        with ThreadPoolExecutor(_DOWNLOADS) as pool:
            found += pool.map(lambda file: self._fetched(file, commit, folder), small)
        found += [self._sent(branch, self._fetched(file, commit, folder)) for file in fresh]
        return found

    def _fetched(self, file: File, commit: str, folder: Path) -> CommitOperationAdd:
        from huggingface_hub import CommitOperationAdd

        return CommitOperationAdd(file.path, str(self.source.fetch(self.given(commit), file.path, folder)))

    def _sent(self, branch: str, addition: CommitOperationAdd) -> CommitOperationAdd:
        """Upload a large file before its commit, so that the disk holds one of them at a time."""
        lies_in = Path(str(addition.path_or_fileobj))
        check_outgoing([addition], [], self.place)
        size = addition.upload_info.size
        showing = progress(f"uploading {addition.path_in_repo}", size, size=True) if size >= LARGE else nullcontext()
        with self.target.errors(f"{addition.path_in_repo} of {self.place}"), showing:
            self.target.api.preupload_lfs_files(
                self.place.repo_id, [addition], repo_type=self.place.kind, revision=branch
            )
        if addition.path_or_fileobj == b"":  # it is there; the target takes some as small ones, with the commit
            lies_in.unlink()
        return addition

    def _finish(self, here: RepositoryState) -> None:
        """Give a new repository its gate, then set the visibility, and remove the branch for work."""
        api, repo_id, kind, plan = self.target.api, self.place.repo_id, self.place.kind, self.plan
        with self.target.errors(self.place):
            if plan.branch == FIRST and plan.source.gated != here.gated:
                api.update_repo_settings(repo_id, gated=_gate(plan.source.gated), repo_type=kind)
            if plan.private not in (None, here.private):
                api.update_repo_settings(repo_id, private=plan.private, repo_type=kind)
            api.delete_branch(repo_id, branch=plan.branch, repo_type=kind)


def _gate(gated: str) -> Any:
    return gated or False
