"""Samples of Inspect logs: their messages, with the long texts that stand aside put in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.data.formats.json_texts import kind
from harness.data.formats.message_reader import read_messages
from harness.data.formats.reading_notes import ReadingNotes
from harness.data.records import Message
from harness.hub.foreign_json import LARGEST


def read_sample(row: Mapping[str, Any], strict: bool, notes: ReadingNotes) -> tuple[Message, ...]:
    """Return the messages of an Inspect sample; long texts stand aside in its attachments."""
    messages = row.get("messages") or row.get("input")
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    attachments = row.get("attachments") or {}
    if not isinstance(attachments, Mapping):
        raise ValueError(f'"attachments" must hold an object, got {kind(attachments)}')
    whole = _attached(messages, attachments) if attachments else messages
    return read_messages(whole, strict=strict, notes=notes)


def _attached(value: Any, attachments: Mapping[str, str]) -> Any:
    """Return messages with the texts that stand aside put in; ValueError where they unfold to more than a row has."""
    left = LARGEST

    def put(value: Any) -> Any:
        nonlocal left
        if isinstance(value, str) and value.startswith("attachment://"):
            text = attachments.get(value.removeprefix("attachment://"), value)
            left -= len(text) if isinstance(text, str) else 0
            if left < 0:
                raise ValueError(f"its attachments unfold to more than {LARGEST >> 20} MiB of messages")
            return text
        if isinstance(value, list):
            return [put(one) for one in value]
        if isinstance(value, dict):
            return {key: put(one) for key, one in value.items()}
        return value

    return put(value)
