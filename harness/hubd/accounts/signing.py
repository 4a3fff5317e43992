"""Signed, expiring claims: what a link or a Xet token allows, without any state on the server."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from typing import Any

from ..errors import Refused


class Signer:
    """Issues and checks claims with HMAC-SHA256 over the root's key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, claims: dict[str, Any], *, seconds: int) -> tuple[str, int]:
        """Return the signed token for `claims` and its expiry (seconds since the epoch)."""
        expires = int(time.time()) + seconds
        payload = json.dumps({**claims, "exp": expires}, separators=(",", ":"), sort_keys=True).encode()
        return f"{_encode(payload)}.{_encode(self.sign(payload))}", expires

    def check(self, token: str, **expected: Any) -> dict[str, Any]:
        """Return the claims of a valid token that holds all `expected` values; otherwise raise Refused (401 or 403)."""
        try:
            payload, signature = (_decode(part) for part in token.split("."))
        except (ValueError, binascii.Error) as error:
            raise Refused(401, "This link or token is damaged; ask for a new one.") from error
        if not hmac.compare_digest(signature, self.sign(payload)):
            raise Refused(401, "This link or token was not issued by this Hub.")
        claims: dict[str, Any] = json.loads(payload)
        if claims["exp"] < time.time():
            raise Refused(401, "This link or token has expired; ask for a new one.")
        if any(claims.get(key) != value for key, value in expected.items()):
            raise Refused(403, "This link or token does not allow that.")
        return claims

    def sign(self, payload: bytes) -> bytes:
        """Return the signature of `payload` (32 bytes)."""
        return hmac.new(self._key, payload, hashlib.sha256).digest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
