"""Routes: discussions and pull requests."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from ..db import Row
from ..errors import Refused
from ..storage.commits import Author
from ..storage.discussions import MAIN, MERGED, check_text, summary
from ..storage.discussions import comment as new_comment
from ..storage.repos import check_write
from .request import Call, answer, text_of, whole_number

PAGE = 50
OPEN_STATES = ("open", "draft")
STATUSES = ("open", "closed")


def listing(call: Call) -> Response:
    """List discussions (filters: type, status, author)."""
    kind, status, author = (call.query.get(key) for key in ("type", "status", "author"))
    found = [
        row
        for row in call.services.discussions.listing(call.repo)
        if (kind in (None, "all") or bool(row["is_pull"]) == (kind == "pull_request"))
        and (status in (None, "all") or (row["status"] in OPEN_STATES) == (status == "open"))
        and (author is None or row["author"] == author)
    ]
    start = call.number("p", 0, 1 << 30) * PAGE
    page = [summary(row, call.repo) for row in found[start : start + PAGE]]
    return answer({"count": len(found), "start": start, "discussions": page, "numClosedDiscussions": 0})


def details(call: Call) -> Response:
    """Describe a discussion."""
    return answer(call.services.discussions.details(call.repo, _found(call)))


def _found(call: Call) -> Row:
    """Return the discussion that the path names; raises Refused (404)."""
    number = whole_number(call.segments[0], 9)
    if number is None:
        raise Refused(404, f"There is no discussion {call.segments[0][:40]!r}.")
    return call.services.discussions.find(call.repo, number)


def create(call: Call) -> Response:
    """Open a discussion or a draft pull request."""
    user, repo, body, discussions = call.required_user(), call.repo, call.json(), call.services.discussions
    discussions.check_room(repo, user, opening=True)
    title = check_text(text_of(body, "title").strip(), title=True)
    if not title:
        raise Refused(400, "A discussion needs a title.")
    author = Author(name=user.name, title=title, description=check_text(text_of(body, "description", "")))
    number = discussions.open(repo, author, base=MAIN if body.get("pullRequest") else None)
    return answer({"num": number, "url": f"{call.base}/{repo.web_path}/discussions/{number}"})


def comment(call: Call) -> Response:
    """Add a comment."""
    row, user = _found(call), call.required_user()
    call.services.discussions.check_room(call.repo, user, opening=False)
    data = new_comment(check_text(text_of(call.json(), "comment")), user.name)
    return answer({"newMessage": _add_event(call, row, "comment", data)})


def _add_event(call: Call, row: Row, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return call.services.discussions.add_event(call.repo, row["num"], kind, call.required_user().name, data)


def edit(call: Call) -> Response:
    """Change the text of one of the caller's comments."""
    row, user = _found_comment(call), call.required_user()
    if row["author"] != user.name:
        raise Refused(403, "Forbidden: only who wrote a comment can edit it.")
    call.services.discussions.check_room(call.repo, user, opening=False)
    text = check_text(text_of(call.json(), "content"))
    return answer({"updatedComment": call.services.discussions.change_comment(row, user.name, text)})


def hide(call: Call) -> Response:
    """Hide a comment permanently: its author may, and those who may write to the repository."""
    row = _found_comment(call)
    _check_owner(call, row["author"])
    hidden = call.services.discussions.change_comment(row, call.required_user().name, None)
    return answer({"updatedComment": hidden})


def _found_comment(call: Call) -> Row:
    return call.services.discussions.find_comment(call.repo, _found(call)["num"], call.segments[1])


def _check_owner(call: Call, author: str) -> None:
    """Raise Refused (403) unless the caller is the author or may write to the repository."""
    user = call.required_user()
    if user.name != author:
        check_write(call.repo.namespace, user, f"the {call.kind} {call.repo.name}")


def title(call: Call) -> Response:
    """Change the title."""
    new, row = check_text(text_of(call.json(), "title"), title=True), _found(call)
    _check_owner(call, row["author"])
    call.services.discussions.check_room(call.repo, call.required_user(), opening=False)
    return answer({"newTitle": _add_event(call, row, "title-change", {"from": row["title"], "to": new})})


def status(call: Call) -> Response:
    """Close a discussion, or open it again."""
    new = text_of(call.json(), "status")
    if new not in STATUSES:
        raise Refused(400, "status must be open or closed.")
    row = _found(call)
    _check_owner(call, row["author"])
    if row["status"] == MERGED:
        raise Refused(409, "This pull request is merged already.")
    opening = new == "open" and row["status"] not in OPEN_STATES
    call.services.discussions.check_room(call.repo, call.required_user(), opening=opening)
    return answer({"newStatus": _add_event(call, row, "status-change", {"status": new})})


def merge(call: Call) -> Response:
    """Merge a pull request."""
    with call.git().moving(_found(call)["base"] or ""):
        row = _found(call)
        if not row["is_pull"] or row["status"] not in OPEN_STATES:
            raise Refused(409, f"Discussion {row['num']} is no open pull request.")
        event = call.services.discussions.merge(call.repo, row, call.required_user().name)
    return answer({"newEvent": event, "newStatus": event})


def delete(call: Call) -> Response:
    """Delete a discussion with what was said in it, and the commits of a pull request that were not merged."""
    row = _found(call)
    with call.git().moving(row["base"] or ""):
        call.services.discussions.delete(call.repo, row["num"])
    return Response(status_code=200)
