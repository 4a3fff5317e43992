"""The note of a release that is being shown: by it a later run finishes or undoes what was killed in the middle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast, get_args

from harness.benchmark.release.changes import Show, ShowShelf, Visible
from harness.benchmark.release.contents import results_place
from harness.errors import DataError
from harness.hub.artifact import RepoKind, RepositoryName
from harness.hub.client import Hub
from harness.hub.foreign_json import load_json
from harness.hub.outgoing import operations
from harness.hub.publishing import delete_branch, make_branch
from harness.hub.repository import RepositoryState

BRANCH = "tft-publish-begun"
"""Of the results: main and its tags stay as they are."""
FILE = "begun.json"


def note_begun(hub: Hub, namespace: str, changes: Sequence[Visible]) -> None:
    """Write down what is about to be shown, before the first of it is; HubError where that cannot be done."""
    place = results_place(namespace)
    text = json.dumps([change.record() for change in changes], indent=2)
    make_branch(hub, place, BRANCH)
    hub.commit(place, operations({FILE: text}), message="What is being made public", branch=BRANCH)


def forget_begun(hub: Hub, namespace: str) -> None:
    """Take the note away, where there is one."""
    delete_branch(hub, results_place(namespace), BRANCH)


def read_begun(hub: Hub, results: RepositoryState) -> tuple[Visible, ...]:
    """Return what a run that did not come to its end was to show; empty where every run did."""
    commit = results.branches.get(BRANCH)
    text = hub.read(results.place.at(commit), FILE) if commit else None
    if text is None:
        return ()
    try:
        return tuple(map(_change, load_json(text.decode("utf-8"))))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{FILE} in the branch {BRANCH} of {results.place} is not what `tft publish` wrote ({error}); see which "
            "repositories should be private, and delete the branch"
        ) from error


def _change(record: Any) -> Visible:
    if "collection" in record:
        return ShowShelf(title=str(record["collection"]))
    kind, _, repo_id = str(record["repo"]).partition("/")
    if kind.removesuffix("s") not in get_args(RepoKind) or not repo_id:
        raise ValueError(f"no repository {record['repo']!r}")
    return Show(place=RepositoryName(kind=cast("RepoKind", kind.removesuffix("s")), repo_id=repo_id))


def undo_begun(hub: Hub, namespace: str) -> list[str]:
    """Hide what a run that was killed had shown already, and return the names of what was public until now.

    Raises HubError where something cannot be hidden; the note stays then.
    """
    results = hub.state(results_place(namespace))
    begun = read_begun(hub, results) if results else ()
    hidden = []
    for change in reversed(begun):
        if isinstance(change, Show):
            state = hub.state(change.place)
            if state and not state.private:
                hub.set_private(change.place, private=True)
                hidden.append(str(change.place))
        else:
            shelf = hub.collections.find(namespace, change.title)
            if shelf and not shelf.private:
                hub.collections.set_private(shelf.slug, True)
                hidden.append(f"the collection {change.title!r}")
    if begun:
        forget_begun(hub, namespace)
    return hidden
