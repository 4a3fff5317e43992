"""Pages: sign in, sign out; and the style sheet."""

from __future__ import annotations

from starlette.responses import Response

from ..accounts.accounts import SESSION_SECONDS, cookie_name, new_cookie
from ..api.request import Call
from .page import FOLDER, SECURITY, page, redirect

_MEDIA = {"css": "text/css; charset=utf-8", "svg": "image/svg+xml"}


def asset(name: str, call: Call) -> Response:  # noqa: ARG001 - the signature of a handler, once it has a name
    """Serve the style sheet or the icon."""
    headers = {**SECURITY, "Cache-Control": "public, max-age=300", "Content-Type": _MEDIA[name.rpartition(".")[2]]}
    return Response((FOLDER / "static" / name).read_bytes(), headers=headers)


def login_form(call: Call) -> Response:
    """Ask for an access token."""
    return page(call, "login", target=_target(call.query.get("next", "")), problem="")


def login(call: Call) -> Response:
    """Set the cookie for a valid token; 403 with the form for any other."""
    form = {key: values[0] for key, values in call.form().items()}
    target, services = _target(form.get("next", "")), call.services
    value = new_cookie(services.signer, services.accounts, form.get("token", ""))
    if value is None:
        return page(call, "login", status=403, target=target, problem="This Hub does not know that token.")
    response = redirect(target)
    _set_cookie(call, response, value, SESSION_SECONDS)
    return response


def logout(call: Call) -> Response:
    """Delete the cookie."""
    response = redirect("/")
    _set_cookie(call, response, "", 0)
    return response


def _set_cookie(call: Call, response: Response, value: str, seconds: int) -> None:
    secure = call.base.startswith("https:")
    response.set_cookie(
        cookie_name(call.services.signer, secure=secure),
        value,
        max_age=seconds,
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )


def _target(wanted: str) -> str:
    """Return where to go after signing in: the address that was asked for if it is on this Hub, else the front page."""
    plain = wanted.isascii() and wanted.isprintable() and "\\" not in wanted
    return wanted if plain and wanted.startswith("/") and not wanted.startswith(("//", "/-/")) else "/"
