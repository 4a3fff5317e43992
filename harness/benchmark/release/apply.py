"""Carry out a release plan, change by change; visibility comes last, all of it or none, also after a kill."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast, get_args

from harness.benchmark.release.changes import (
    AddItem,
    Change,
    ChangeItem,
    Commit,
    CreateCollection,
    CreateSpace,
    Hidden,
    MakeCollectionPublic,
    MakePublic,
    ReleasePlan,
    SetTag,
    Visible,
)
from harness.benchmark.release.manifest import results_place
from harness.errors import DataError, HubError
from harness.hub.artifact import RepoKind, RepositoryName
from harness.hub.client import Hub
from harness.hub.collections import CollectionItem
from harness.hub.foreign_json import load_json
from harness.hub.publishing import delete_branch, make_branch
from harness.hub.push_checks import operations
from harness.hub.repository import RepositoryState

BRANCH = "tft-publish-begun"
"""A branch of the results: main and its tags are not touched."""
FILE = "begun.json"


def _write_note(hub: Hub, namespace: str, changes: Sequence[Visible]) -> None:
    """Note on the Hub what is about to be shown, before the first of it is; HubError where that cannot be done."""
    place = results_place(namespace)
    text = json.dumps([change.record() for change in changes], indent=2)
    make_branch(hub, place, BRANCH)
    hub.commit(place, operations({FILE: text}), message="What is being made public", branch=BRANCH)


def _delete_note(hub: Hub, namespace: str) -> None:
    """Remove the note, where there is one."""
    delete_branch(hub, results_place(namespace), BRANCH)


def read_note(hub: Hub, results: RepositoryState) -> tuple[Visible, ...]:
    """Return what an interrupted run was about to show; empty where every run completed."""
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
        return MakeCollectionPublic(title=str(record["collection"]))
    kind, _, repo_id = str(record["repo"]).partition("/")
    if kind.removesuffix("s") not in get_args(RepoKind) or not repo_id:
        raise ValueError(f"no repository {record['repo']!r}")
    return MakePublic(place=RepositoryName(kind=cast("RepoKind", kind.removesuffix("s")), repo_id=repo_id))


def undo_interrupted(hub: Hub, namespace: str) -> list[str]:
    """Hide what a run that was killed had shown already, and return the names of what was public until now.

    Raises HubError where something cannot be hidden; the note stays then.
    """
    results = hub.state(results_place(namespace))
    noted = read_note(hub, results) if results else ()
    hidden = []
    for change in reversed(noted):
        if isinstance(change, MakePublic):
            state = hub.state(change.place)
            if state and not state.private:
                hub.set_private(change.place, private=True)
                hidden.append(str(change.place))
        else:
            collection = hub.collections.find(namespace, change.title)
            if collection and not collection.private:
                hub.collections.set_private(collection.slug, True)
                hidden.append(f"the collection {change.title!r}")
    if noted:
        _delete_note(hub, namespace)
    return hidden


@dataclass(slots=True)
class _Progress:
    """What this run has made so far, for the changes that need it."""

    slug: str | None
    commits: dict[RepositoryName, str] = field(default_factory=dict)

    @property
    def collection(self) -> str:
        if self.slug is None:
            raise ValueError("the plan changes a collection before it makes it")
        return self.slug


def apply_plan(hub: Hub, plan: ReleasePlan) -> Generator[Change, None, None]:
    """Make the changes in their order, and yield each when it is made.

    May be interrupted at any moment: what was private is private still unless all hidden changes are made, and what
    an interrupted run has shown is hidden again as far as the Hub lets it. A note on the Hub says what is being shown,
    for the run after one that was killed. A new plan has what is left. HubError says what could not be done and what is
    visible.
    """
    made = _Progress(slug=plan.slug)
    for change in plan.hidden:
        try:
            _make(hub, change, made)
        except HubError as error:
            again = "" if "run this again" in str(error) else "; the same command resumes from here"
            raise type(error)(f"{error}; what was private is private still{again}") from error
        yield change
    yield from _show_all(hub, plan, made)


def _make(hub: Hub, change: Hidden, made: _Progress) -> None:
    match change:
        case CreateSpace():
            hub.create(change.place, private=True, sdk="static")
        case Commit():
            place, wanted = change.place, operations(change.files, change.removed)
            parent = change.parent or hub.resolve(place.kind, place.repo_id).revision
            made.commits[place] = hub.commit(place, wanted, message=change.message, parent=parent).oid
        case SetTag():
            commit = change.commit or made.commits[change.place]
            hub.tag(change.place.at(commit), change.tag, move=change.moved)
        case CreateCollection():
            made.slug = hub.collections.create(change.owner, change.title, description=change.description, private=True)
        case AddItem():
            place = change.place
            hub.collections.add(made.collection, CollectionItem(kind=place.kind, id=place.repo_id, note=change.note))
        case ChangeItem():
            place = change.place
            hub.collections.change(
                made.collection, place.kind, place.repo_id, note=change.note, position=change.position
            )


def _show_all(hub: Hub, plan: ReleasePlan, made: _Progress) -> Generator[Visible, None, None]:
    whole = (*plan.already_public, *plan.visible)
    shown = list(plan.already_public)
    left: list[Visible] = []
    try:
        if plan.visible and len(whole) > 1:  # of one alone there is no half
            _write_note(hub, plan.namespace, whole)
        for change in plan.visible:
            shown.append(change)
            _set_private(hub, change, made, private=False)
            yield change
    except HubError as error:
        left = _hide(hub, shown, made)
        raise type(error)(f"{error}; {_outcome(left)}") from error
    except BaseException:  # an interruption too must not leave a half of it to be seen
        if len(shown) < len(whole):
            left = _hide(hub, shown, made)
        raise
    finally:
        if shown and not left:
            with suppress(HubError):  # the next run takes it away
                _delete_note(hub, plan.namespace)


def _outcome(left: Sequence[Visible]) -> str:
    if not left:
        return "everything that was private is private again, and the same command shows it"
    names = ", ".join(_name(change) for change in left)
    return f"visible to everyone are now {names}, which could not be hidden again; the same command shows the rest"


def _hide(hub: Hub, changes: Sequence[Visible], made: _Progress) -> list[Visible]:
    """Hide again what was shown, the last first, and return what could not be hidden."""
    left = []
    for change in reversed(changes):
        try:
            _set_private(hub, change, made, private=True)
        except HubError:
            left.append(change)
    return left


def _set_private(hub: Hub, change: Visible, made: _Progress, *, private: bool) -> None:
    if isinstance(change, MakePublic):
        hub.set_private(change.place, private)
    else:
        hub.collections.set_private(made.collection, private)


def _name(change: Visible) -> str:
    return str(change.place) if isinstance(change, MakePublic) else f"the collection {change.title!r}"
