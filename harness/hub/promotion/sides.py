"""The two Hubs of a promotion: each at its address, with its own token, read by commit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import UsageError
from harness.hub.address import DEFAULT_ENDPOINT, EMBEDDED, check_address
from harness.hub.connect import started
from harness.hub.repository import SOURCE_TOKEN, TARGET_TOKEN, HubSide, RepositoryName
from harness.hub.trees import File, Tree, TreeChanges

FIRST, UPDATE = "promotion-first", "promotion-update"
"""The branch on which revisions are put together; while it is there, the promotion is not complete."""


def changes(
    have: tuple[HubSide, RepositoryName, str],
    have_tree: Tree,
    want: tuple[HubSide, RepositoryName, str],
    want_tree: Tree,
) -> TreeChanges:
    """Return what makes the tree of `have` equal that of `want` (each a side, a repository and a commit).

    A file that is large on one side only (each Hub decides for itself) is downloaded from the other to compare.
    """

    def same(one: File, other: File) -> bool:
        answer = one.same(other)
        if answer is not None:
            return answer
        hashes = {
            file.hash if file.large else side.sha256(place, commit, file.path)
            for file, (side, place, commit) in ((one, have), (other, want))
        }
        return len(hashes) == 1

    return TreeChanges(
        added=tuple(
            f for path, f in sorted(want_tree.items()) if path not in have_tree or not same(have_tree[path], f)
        ),
        removed=tuple(sorted(path for path in have_tree if path not in want_tree)),
    )


@contextmanager
def both(source: str, target: str) -> Iterator[tuple[HubSide, HubSide]]:
    """Connect to two Hubs, each a URL or `embedded` (started for the block, with its own token).

    The token of the source is TFT_FROM_TOKEN, none where that is not set; the target's is HF_TOKEN. Neither is ever
    sent to the other. Raises UsageError where both are the same Hub.
    """
    with _opened(source, "--from", SOURCE_TOKEN) as first:
        if source == target or first.endpoint == target.rstrip("/"):
            raise UsageError(f"--from and --to are the same Hub, {first.endpoint}; give two")
        with _opened(target, "--to", TARGET_TOKEN) as second:
            yield first, second


@contextmanager
def _opened(address: str, option: str, variable: str) -> Iterator[HubSide]:
    if address != EMBEDDED:
        endpoint = address.rstrip("/")
        check_address(endpoint, option)
        yield _side(endpoint, os.environ.get(variable) or None, variable)
        return
    with started(f"the embedded Hub of {option}") as embedded:
        yield _side(embedded.url, embedded.token, variable)


def _side(endpoint: str, token: str | None, variable: str) -> HubSide:
    from huggingface_hub import get_token

    from harness.hub.address import quiet

    quiet()
    if token is None and variable == TARGET_TOKEN and endpoint == DEFAULT_ENDPOINT:
        token = get_token()  # of `hf auth login`, which is for huggingface.co and nobody else
    return HubSide.at(endpoint, token, variable)
