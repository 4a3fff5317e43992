"""Signed-in browsers: a cookie that stands for a token, but only reads, and only pages and files.

The cookie is a signed claim on the token's hash: it does not reveal the token, and ends with it.
"""

from __future__ import annotations

import dataclasses
import hashlib
from http.cookies import CookieError, SimpleCookie

from ..errors import Refused
from .accounts import Accounts, User, token_hash
from .signing import Signer

SESSION_SECONDS = 12 * 3600  # a day of work: browsers show the cookie to whatever listens on this host
CLAIM = "pages"


def cookie_name(signer: Signer, *, secure: bool) -> str:
    """Return the cookie's name; two Hubs on one host differ in it, since browsers do not tell ports apart.

    `secure`, over TLS, it is one that browsers take from this very host only.
    """
    return f"{'__Host-' if secure else ''}tft_hub_{hashlib.sha256(signer.sign(b'cookie')).hexdigest()[:12]}"


def new_cookie(signer: Signer, accounts: Accounts, token: str) -> str | None:
    """Return the cookie's value for an access token, None if nobody has that token."""
    hashed = token_hash(token.strip())
    if accounts.holder(hashed) is None:
        return None
    return signer.issue({"do": CLAIM, "token": hashed}, seconds=SESSION_SECONDS)[0]


def signed_in(signer: Signer, accounts: Accounts, header: str | None, *, secure: bool) -> User | None:
    """Return who sends a `Cookie` header, as someone who may only read; None without a valid cookie."""
    try:
        found = SimpleCookie(header or "").get(cookie_name(signer, secure=secure))
        claims = signer.check(found.value, do=CLAIM) if found else None
    except (CookieError, Refused):
        return None  # an expired or foreign cookie is no reason to refuse what is public
    user = accounts.holder(claims["token"]) if claims else None
    return dataclasses.replace(user, role="read") if user else None
