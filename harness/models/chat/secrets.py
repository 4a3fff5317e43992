"""Keys and passwords of endpoints: taken out of every text and address that is shown, written or published."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from harness.data.formats.json_texts import encodable

_LONGEST_REASON = 400
_SHORTEST_SECRET = 4
"""Characters; what is shorter is a placeholder, and would be found inside ordinary words."""


class Secrets:
    """What must not be repeated of one endpoint: its key, and what its address says beside the host and the path."""

    def __init__(self, key: str, address: str) -> None:
        self._address, self._public = address, public_address(address)
        parts = urlsplit(address)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        pair = f"{user}:{password}"
        spelled = [key, password, pair, parts.query] if user or password else [key, parts.query]
        if user or password:  # sent as basic authentication, which an endpoint may quote
            spelled.append(base64.b64encode(pair.encode()).decode())
        forms = {form for one in spelled for form in (one, quote(one, safe=""), json.dumps(one)[1:-1])}
        self._forms = sorted((form for form in forms if len(form) >= _SHORTEST_SECRET), key=len, reverse=True)

    def clean(self, text: str) -> str:
        """Return an endpoint's words as one short line that can be shown, without secrets; some quote the key."""
        shown = "".join(one if one.isprintable() or one.isspace() else "\ufffd" for one in encodable(text))
        line = " ".join(shown.split()).replace(self._address, self._public)
        for form in self._forms:
            line = line.replace(form, "[key]")
        return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]} [...]"


def public_address(address: str) -> str:
    """Return an address without user, password, query and fragment; one that has none of them stays as it is."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    if host == parts.netloc and not parts.query and not parts.fragment:
        return address
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
