"""What endpoints say of a failure, as one line without keys and passwords: shown, written, and published."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, unquote, urlsplit

from harness.data.formats.json_texts import encodable
from harness.hub.address import public_address
from harness.secrets import MASK, known
from harness.terminal import one_line

_LONGEST_REASON = 400
_SHORTEST_SECRET = 4
"""Characters; what is shorter is a placeholder, and would be found inside ordinary words."""


class EndpointSecrets:
    """What must not be repeated of one endpoint: its key, and what its address says beside the host and the path.

    Here also keys that are too short to be looked for in every text, see `harness.secrets`.
    """

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
        line = one_line(" ".join(known().mask(encodable(text)).split())).replace(self._address, self._public)
        for form in self._forms:
            line = line.replace(form, MASK)
        return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]} [...]"
