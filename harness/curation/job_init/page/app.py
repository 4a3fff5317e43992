"""What is answered under which address: the list, one conversation at a time, its turns as forms, decisions.

Pages work without a script; `page.js` adds keys. What changes something is a POST that names the version of the
conversation on the page, and leads to the next page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from jinja2 import Environment
from markupsafe import Markup, escape
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from harness.curation.job_init.corrections import (
    Change,
    ReviewDesk,
    ReviewedConversation,
    Stale,
    insert_turn,
    remove_turn,
    replace_turn,
    results_of,
)
from harness.curation.job_init.page.turn_form import FieldProblem, TurnForm, read_result, read_turn
from harness.curation.job_init.page.views import listed, messages_of, parameters_of
from harness.curation.job_init.review import Review, State
from harness.data.records import Conversation, Message
from harness.errors import HarnessError, explained
from harness.resources import templates
from harness.terminal import visible

_PLACE = Path(__file__).parent
_STATIC = {"style.css": "text/css", "page.js": "text/javascript"}
_STATES: Mapping[str, State] = {"accept": "accepted", "drop": "dropped", "reopen": "pending"}
_FIELDS = 20
_DIGITS = 7
"""Of a number in an address."""

Fields = Mapping[str, str]


def make_app(desk: ReviewDesk) -> Starlette:
    """Return the ASGI application of a desk. Its root path is the secret one; a guard stands before it."""
    pages = _Pages(desk)
    routes = [
        ("/", "GET", pages.start),
        ("/done", "GET", pages.done),
        ("/undo", "POST", pages.undo),
        ("/c/{number}", "GET", pages.conversation),
        ("/c/{number}", "POST", pages.decide),
        ("/c/{number}/{kind}/{turn}", "GET", pages.turn),
        ("/c/{number}/{kind}/{turn}", "POST", pages.save),
        ("/{asset}", "GET", _asset),
    ]
    return Starlette(
        routes=[Route(path, _endpoint(handler), methods=[method]) for path, method, handler in routes],
        exception_handlers={HTTPException: _refused, HarnessError: _refused, OSError: _refused},
    )


Handler = Callable[["_Call"], Response]


@dataclass(frozen=True, slots=True)
class _Call:
    """A request: the address of the root, what its path names, and the fields of its form."""

    root: str
    path: Mapping[str, str]
    fields: Fields

    def number(self, name: str) -> int:
        """Return a number of the path; 404 for anything else."""
        text = self.path[name]
        if not (text.isascii() and text.isdigit() and len(text) < _DIGITS):
            raise HTTPException(404, "Nothing is here.")
        return int(text)

    def go(self, *parts: object) -> Response:
        """Send the browser to another page."""
        return RedirectResponse(f"{self.root}/{'/'.join(map(str, parts))}", status_code=303)


def _endpoint(handler: Handler) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            pairs = parse_qsl(
                (await request.body()).decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_FIELDS
            )
        except ValueError as error:
            raise HTTPException(400, "The form has too many fields.") from error
        call = _Call(request.scope["root_path"], request.path_params, dict(pairs))
        return await run_in_threadpool(handler, call)

    return endpoint


class _Pages:
    def __init__(self, desk: ReviewDesk) -> None:
        self._desk = desk

    def start(self, call: _Call) -> Response:
        """Lead to the first conversation that nobody looked at."""
        return _next(call, self._desk.read(), 0)

    def done(self, call: _Call) -> Response:
        """Show the list, and how far one is."""
        return self._page(call, "done", self._desk.read(), number=0, folder=self._desk.folder.name)

    def conversation(self, call: _Call) -> Response:
        """Show one conversation."""
        found = self._desk.read()
        return self._conversation(call, found, _at(found, call.number("number")))

    def decide(self, call: _Call) -> Response:
        """Accept, drop or reopen a conversation, and lead to the next one."""
        number, state = call.number("number"), _STATES.get(call.fields.get("decision", ""))
        found = self._desk.read()
        if state is None:
            raise HTTPException(400, "The decision must be accept, drop or reopen.")
        try:
            self._desk.decide(_at(found, number).decision.id, call.fields.get("version", ""), state)
        except Stale as error:
            found = self._desk.read()
            return self._conversation(call, found, _at(found, number), problem=str(error), status=409)
        return call.go("c", number) if state == "pending" else _next(call, self._desk.read(), number)

    def undo(self, call: _Call) -> Response:
        """Take the latest change back, and lead to its conversation."""
        try:
            id = self._desk.undo()
        except HarnessError as error:
            found = self._desk.read()
            page = {"number": 0, "folder": self._desk.folder.name, "problem": str(error)}
            return self._page(call, "done", found, status=409, **page)
        ids = [one.decision.id for one in self._desk.read()]
        return call.go("c", ids.index(id) + 1)

    def turn(self, call: _Call) -> Response:
        """Show the form of an assistant's turn: one that is there (`edit`), or a new one (`add`)."""
        found = self._desk.read()
        one = _at(found, call.number("number"))
        return self._form(call, found, self._form_of(one, call.path["kind"], call.number("turn")))

    def _form_of(self, one: ReviewedConversation, kind: str, at: int) -> TurnForm:
        old = _turn(one.conversation, kind, at)
        return TurnForm.of(old, results_of(one.conversation, at) if old else (), self._desk.toolbox)

    def save(self, call: _Call) -> Response:
        """Save a turn, or take it out; what is wrong with it is shown beside its fields."""
        found = self._desk.read()
        number, at, kind = call.number("number"), call.number("turn"), call.path["kind"]
        one, form = _at(found, number), TurnForm.filled(call.fields)
        if one.version != call.fields.get("version"):
            return self._kept(call, found, form)
        old = _turn(one.conversation, kind, at)
        try:
            if call.fields.get("do") == "remove":
                change: Change = partial(remove_turn, at=at)
            else:
                turn = read_turn(form, self._desk.toolbox, like=old)
                result = read_result(form, self._form_of(one, kind, at))
                change = partial(replace_turn if old else insert_turn, at=at, turn=turn, result=result)
            self._desk.correct(one.decision.id, one.version, change)
        except Stale:
            return self._kept(call, self._desk.read(), form)
        except ValueError as error:
            field = error.field if isinstance(error, FieldProblem) else ""
            return self._form(call, found, replace(form, errors={field: str(error)}), status=422)
        return call.go("c", f"{number}#turn-{at}" if old else number)

    def _kept(self, call: _Call, found: list[ReviewedConversation], form: TurnForm) -> Response:
        """Show a form again whose conversation was changed meanwhile, or what was written, where its turn is gone."""
        text = "This conversation was changed meanwhile, so nothing was saved; what you wrote is kept below."
        try:
            return self._form(call, found, replace(form, errors={"": text}), status=409)
        except HTTPException:
            one = _at(found, call.number("number"))
            return self._conversation(call, found, one, problem=text, kept=form, status=409)

    def _form(self, call: _Call, found: list[ReviewedConversation], form: TurnForm, *, status: int = 200) -> Response:
        number, at, kind = call.number("number"), call.number("turn"), call.path["kind"]
        one = _at(found, number)
        old = _turn(one.conversation, kind, at)
        messages = messages_of(one.conversation.messages, self._desk.toolbox, None)
        answered = bool(old and results_of(one.conversation, at))
        return self._page(
            call, "turn", found, status=status, number=number, one=one, form=form, kind=kind, at=at, answered=answered,
            before=messages[:at], now=messages[at] if old else None, tools=parameters_of(self._desk.toolbox),
            reply=self._desk.toolbox.reply,
        )  # fmt: skip

    def _conversation(
        self,
        call: _Call,
        found: list[ReviewedConversation],
        one: ReviewedConversation,
        *,
        status: int = 200,
        **values: Any,
    ) -> Response:
        logged = one.logged.messages if one.logged is not None else None
        return self._page(
            call, "conversation", found, status=status, number=found.index(one) + 1, one=one,
            messages=messages_of(one.conversation.messages, self._desk.toolbox, logged),
            logged=messages_of(logged, self._desk.toolbox, None) if logged and one.is_changed else None,
            **{"kept": None, **values},
        )  # fmt: skip

    def _page(
        self, call: _Call, name: str, found: list[ReviewedConversation], *, status: int = 200, **values: Any
    ) -> Response:
        counts = Review(tuple(one.decision for one in found)).counts
        frame = {"root": call.root, "listed": listed(found), "counts": counts, "can_undo": self._desk.can_undo}
        return _render(name, status=status, **{"problem": "", **frame, **values})


def _at(found: list[ReviewedConversation], number: int) -> ReviewedConversation:
    if not 1 <= number <= len(found):
        raise HTTPException(404, f"There are {len(found)} conversations, numbered from 1.")
    return found[number - 1]


def _next(call: _Call, found: list[ReviewedConversation], number: int) -> Response:
    """Lead to the next conversation after `number` that nobody looked at, then to those before it."""
    unseen = [at for at, one in enumerate(found, start=1) if one.decision.by != "a person"]
    after = [at for at in unseen if at > number] or unseen
    return call.go("c", after[0]) if after else call.go("done")


def _turn(conversation: Conversation, kind: str, at: int) -> Message | None:
    """Return the turn of the assistant that is edited, None for a new one; 404 where there is no such place."""
    messages = conversation.messages
    if kind == "add" and at <= len(messages):
        return None
    if kind == "edit" and at < len(messages) and messages[at].role == "assistant":
        return messages[at]
    raise HTTPException(404, "The assistant has no such turn any more.")


def _asset(call: _Call) -> Response:
    name = call.path["asset"]
    if name not in _STATIC:
        raise HTTPException(404, "Nothing is here.")
    return Response((_PLACE / "static" / name).read_bytes(), media_type=_STATIC[name])


async def _refused(request: Request, error: Exception) -> Response:
    status, text = 409, str(error)
    if isinstance(error, HTTPException):
        status, text = error.status_code, error.detail
    elif isinstance(error, OSError):
        status, text = 500, explained(error)[0]
    return _render("refused", status=status, root=request.scope["root_path"], text=text)


@cache
def _environment() -> Environment:
    # What is printed is from conversations: hidden characters are spelled out, and everything is escaped.
    return templates(
        _PLACE / "templates", finalize=lambda value: value if isinstance(value, Markup) else escape(visible(value))
    )


def _render(name: str, *, status: int = 200, **values: Any) -> Response:
    text = _environment().get_template(f"{name}.html.jinja").render(**values)
    return HTMLResponse(text.encode("utf-8", "replace"), status_code=status)
