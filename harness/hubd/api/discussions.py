"""Routes: discussions and pull requests."""

from __future__ import annotations

from starlette.responses import Response

from ..errors import Refused, login_required
from ..storage import pulls
from ..storage.commits import Author
from ..storage.repos import check_write
from .request import Call, answer, text_of

PAGE = 50
OPEN_STATES = ("open", "draft")
STATUSES = ("open", "closed")


def read(call: Call) -> Response:
    """List discussions (filters: type, status, author), or describe one."""
    services, repo = call.services, call.repo
    if call.segments:
        row = pulls.find(services.db, repo, _number(call))
        return answer(pulls.details(services.db, call.git(), repo, row))
    rows = services.db.rows("select * from discussions where repo = ? order by num desc", repo.id)
    kind, status, author = (call.query.get(key) for key in ("type", "status", "author"))
    found = [
        row
        for row in rows
        if (kind in (None, "all") or bool(row["is_pull"]) == (kind == "pull_request"))
        and (status in (None, "all") or (row["status"] in OPEN_STATES) == (status == "open"))
        and (author is None or row["author"] == author)
    ]
    start = call.number("p", 0, 1 << 30) * PAGE
    page = [pulls.summary(row, repo) for row in found[start : start + PAGE]]
    return answer({"count": len(found), "start": start, "discussions": page, "numClosedDiscussions": 0})


def write(call: Call) -> Response:
    """Open a discussion or a draft pull request, or act on one: comment, title, status, merge."""
    user = call.required_user()
    if user.role != "write":
        raise Refused(403, "Forbidden: this token can only read; use a write token to take part in discussions.")
    services, repo, body = call.services, call.repo, call.json()
    if not call.segments:
        title = text_of(body, "title").strip()
        if not title:
            raise Refused(400, "A discussion needs a title.")
        author = Author(name=user.name, title=title, description=text_of(body, "description", ""))
        number = pulls.open_discussion(services.db, call.git(), repo, author, pull=bool(body.get("pullRequest")))
        return answer({"num": number, "url": f"{call.base}/{repo.web_path}/discussions/{number}"})
    number = _number(call)
    actions = {"comment": _comment, "title": _title, "status": _status, "merge": _merge}
    action = actions.get(call.segments[1]) if len(call.segments) == 2 else None
    if action is None:
        raise Refused(404, "This Hub has no such endpoint.")
    return action(call, number)


def _number(call: Call) -> int:
    text = call.segments[0]
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Refused(404, f"There is no discussion {text[:40]!r}.")
    return int(text)


def _comment(call: Call, number: int) -> Response:
    pulls.find(call.services.db, call.repo, number)
    name, text = call.required_user().name, text_of(call.json(), "comment")
    data = pulls.comment(text, name)
    return answer(
        {"newMessage": pulls.add_event(call.services.db, call.repo, number, "comment", author=name, data=data)}
    )


def _check_owner(call: Call, author: str) -> str:
    """Return the caller's name if they opened the discussion or may write to the repository."""
    user = call.user
    if user is None:
        raise login_required()
    if user.name != author:
        check_write(call.repo.namespace, user, f"the {call.kind} {call.repo.name}")
    return user.name


def _title(call: Call, number: int) -> Response:
    db, title = call.services.db, text_of(call.json(), "title")
    row = pulls.find(db, call.repo, number)
    name = _check_owner(call, row["author"])
    data = {"from": row["title"], "to": title}
    return answer({"newTitle": pulls.add_event(db, call.repo, number, "title-change", author=name, data=data)})


def _status(call: Call, number: int) -> Response:
    db, status = call.services.db, text_of(call.json(), "status")
    if status not in STATUSES:
        raise Refused(400, "status must be open or closed.")
    row = pulls.find(db, call.repo, number)
    name = _check_owner(call, row["author"])
    if row["status"] == "merged":
        raise Refused(409, "This pull request is merged already.")
    return answer(
        {"newStatus": pulls.add_event(db, call.repo, number, "status-change", author=name, data={"status": status})}
    )


def _merge(call: Call, number: int) -> Response:
    repo = call.writable_repo()
    db, name = call.services.db, call.required_user().name
    git = call.git()
    with git.moving(pulls.find(db, repo, number)["base"] or ""):
        row = pulls.find(db, repo, number)
        if not row["is_pull"] or row["status"] not in OPEN_STATES:
            raise Refused(409, f"Discussion {number} is no open pull request.")
        event = pulls.merge(db, git, repo, row, name)
    return answer({"newEvent": event, "newStatus": event})
