"""A call as the published predictions write it."""

from __future__ import annotations

import json

from harness.data.records import ToolCall


def canonical(call: ToolCall) -> str:
    """Return the call as a `<tool_call>` element with `{"name", "arguments"}` in it, keys in their order."""
    body = json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)
    return f"<tool_call>\n{body}\n</tool_call>"
