"""Routes: discussions and pull requests."""

from __future__ import annotations

from starlette.responses import Response

from ..db import Row
from ..errors import Refused
from ..storage import discussions as pulls
from ..storage.commits import Author
from ..storage.moderation import change_comment, check_room, check_text, delete_discussion, find_comment
from ..storage.repos import check_write
from .request import Call, answer, text_of, whole_number

PAGE = 50
OPEN_STATES = ("open", "draft")
STATUSES = ("open", "closed")


def listing(call: Call) -> Response:
    """List discussions (filters: type, status, author)."""
    rows = pulls.everything(call.services.db, call.repo)
    kind, status, author = (call.query.get(key) for key in ("type", "status", "author"))
    found = [
        row
        for row in rows
        if (kind in (None, "all") or bool(row["is_pull"]) == (kind == "pull_request"))
        and (status in (None, "all") or (row["status"] in OPEN_STATES) == (status == "open"))
        and (author is None or row["author"] == author)
    ]
    start = call.number("p", 0, 1 << 30) * PAGE
    page = [pulls.summary(row, call.repo) for row in found[start : start + PAGE]]
    return answer({"count": len(found), "start": start, "discussions": page, "numClosedDiscussions": 0})


def details(call: Call) -> Response:
    """Describe a discussion."""
    row = pulls.find(call.services.db, call.repo, _number(call))
    return answer(pulls.details(call.services.db, call.git(), call.repo, row))


def _number(call: Call) -> int:
    number = whole_number(call.segments[0], 9)
    if number is None:
        raise Refused(404, f"There is no discussion {call.segments[0][:40]!r}.")
    return number


def create(call: Call) -> Response:
    """Open a discussion or a draft pull request."""
    user, repo, db, body = call.required_user(), call.repo, call.services.db, call.json()
    check_room(db, repo, user, opening=True)
    title = check_text(text_of(body, "title").strip(), title=True)
    if not title:
        raise Refused(400, "A discussion needs a title.")
    author = Author(name=user.name, title=title, description=check_text(text_of(body, "description", "")))
    number = pulls.open_discussion(db, call.git(), repo, author, pull=bool(body.get("pullRequest")))
    return answer({"num": number, "url": f"{call.base}/{repo.web_path}/discussions/{number}"})


def comment(call: Call) -> Response:
    """Add a comment."""
    number, user, db = _number(call), call.required_user(), call.services.db
    pulls.find(db, call.repo, number)
    check_room(db, call.repo, user, opening=False)
    data = pulls.comment(check_text(text_of(call.json(), "comment")), user.name)
    return answer({"newMessage": pulls.add_event(db, call.repo, number, "comment", author=user.name, data=data)})


def edit(call: Call) -> Response:
    """Give a comment of the caller's another text."""
    user, db = call.required_user(), call.services.db
    row = _comment_of(call)
    if row["author"] != user.name:
        raise Refused(403, "Forbidden: only who wrote a comment can edit it.")
    check_room(db, call.repo, user, opening=False)
    text = check_text(text_of(call.json(), "content"))
    return answer({"updatedComment": change_comment(db, row, user.name, text)})


def hide(call: Call) -> Response:
    """Hide a comment for good: for who wrote it and for who may write to the repository."""
    row = _comment_of(call)
    name = _check_owner(call, row["author"])
    return answer({"updatedComment": change_comment(call.services.db, row, name, None)})


def _comment_of(call: Call) -> Row:
    number = _number(call)
    pulls.find(call.services.db, call.repo, number)
    return find_comment(call.services.db, call.repo, number, call.segments[1])


def _check_owner(call: Call, author: str) -> str:
    """Return the caller's name if they are the author or may write to the repository."""
    user = call.required_user()
    if user.name != author:
        check_write(call.repo.namespace, user, f"the {call.kind} {call.repo.name}")
    return user.name


def title(call: Call) -> Response:
    """Change the title."""
    db, new = call.services.db, check_text(text_of(call.json(), "title"), title=True)
    row = pulls.find(db, call.repo, _number(call))
    name = _check_owner(call, row["author"])
    check_room(db, call.repo, call.required_user(), opening=False)
    data = {"from": row["title"], "to": new}
    return answer({"newTitle": pulls.add_event(db, call.repo, row["num"], "title-change", author=name, data=data)})


def status(call: Call) -> Response:
    """Close a discussion, or open it again."""
    db, new = call.services.db, text_of(call.json(), "status")
    if new not in STATUSES:
        raise Refused(400, "status must be open or closed.")
    row = pulls.find(db, call.repo, _number(call))
    name = _check_owner(call, row["author"])
    if row["status"] == "merged":
        raise Refused(409, "This pull request is merged already.")
    check_room(db, call.repo, call.required_user(), opening=new == "open" and row["status"] not in OPEN_STATES)
    data = {"status": new}
    return answer({"newStatus": pulls.add_event(db, call.repo, row["num"], "status-change", author=name, data=data)})


def merge(call: Call) -> Response:
    """Merge a pull request."""
    repo, db, name = call.repo, call.services.db, call.required_user().name
    git, number = call.git(), _number(call)
    with git.moving(pulls.find(db, repo, number)["base"] or ""):
        row = pulls.find(db, repo, number)
        if not row["is_pull"] or row["status"] not in OPEN_STATES:
            raise Refused(409, f"Discussion {number} is no open pull request.")
        event = pulls.merge(db, git, repo, row, name)
    return answer({"newEvent": event, "newStatus": event})


def delete(call: Call) -> Response:
    """Delete a discussion with what was said in it, and the commits of a pull request that were not merged."""
    row = pulls.find(call.services.db, call.repo, _number(call))
    with call.git().moving(row["base"] or ""):
        delete_discussion(call.services.db, call.git(), call.repo, row["num"])
    return Response(status_code=200)
