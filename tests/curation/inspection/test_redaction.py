"""Personal data is masked the same everywhere in a conversation; other numbers stay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.curation.inspection.redaction import find_pii, redact
from harness.data.records import Conversation, Message, ToolCall
from harness.data.traces.read import read_traces


def saying(*texts: str) -> Conversation:
    return Conversation(id="c", source="s", messages=tuple(Message(role="user", content=text) for text in texts))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to Ann.B+x@mail.example.org, please", "Write to [EMAIL_1], please"),
        ("call 415-555-0123.", "call [PHONE_1]."),
        ("It is (415) 555-0123", "It is [PHONE_1]"),
        ("+44 20 7946 0958 or +442079460958?", "[PHONE_1] or [PHONE_1]?"),
        ("Tel. 0731 5550123", "Tel. [PHONE_1]"),
        ("my mobile is 4155550123", "my mobile is [PHONE_1]"),
        ("card 4111 1111 1111 1111 or 5500005555555559", "card [CARD_1] or [CARD_2]"),
        ("DE89 3704 0044 0532 0130 00", "[IBAN_1]"),
    ],
)
def test_personal_data_is_masked(text: str, masked: str) -> None:
    assert redact(saying(text)).messages[0].content == masked


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01 19:00 to 2026-03-02 07:30",
        "on 03/01/2026, or 1.3.2026 at 18.30",
        "$1,234.50, 12,500,000 in all, 3.14159265358979",
        "order 123456789, booking 8841234567, flight AA 1234",
        "1234 Main Street, CA 94107-1234",
        "card 4111 1111 1111 1112, 0000 0000 0000 0000",
        "DE88 3704 0044 0532 0130 00",
        "call_0123456789ab, 550e8400-e29b-41d4-a716-446655440000",
        "me@home, @somebody, a@b",
        "version 10.20.30.40, 192.168.100.200",
        "at 37.7749295, -122.4194155",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    assert not find_pii(saying(text))
    assert redact(saying(text)) == saying(text)


def test_the_same_value_has_the_same_mask_in_texts_calls_and_results() -> None:
    """However it is written, and results stay JSON."""
    call = ToolCall(
        name="Book", arguments={"phone": "+1 415-555-0123", "guest": {"mail": "ANN@example.org"}, "n": 4155550123}
    )
    one = Conversation(
        id="c",
        source="s",
        messages=(
            Message(role="user", content="I am ann@example.org, phone (415) 555-0123, not bo@example.org"),
            Message(role="assistant", tool_calls=(call,)),
            Message(role="user", content='[{"phone": 4155550123, "mail": "ann@example.org", "seats": 2}]'),
        ),
    )
    said, called, found = redact(one).messages
    assert said.content == "I am [EMAIL_1], phone [PHONE_1], not [EMAIL_2]"
    assert called.tool_calls[0].arguments == {"phone": "[PHONE_1]", "guest": {"mail": "[EMAIL_1]"}, "n": "[PHONE_1]"}
    assert json.loads(found.content or "") == [{"phone": "[PHONE_1]", "mail": "[EMAIL_1]", "seats": 2}]
    assert find_pii(one) == {"email": 2, "phone": 1}
    assert not find_pii(redact(one))


def test_long_texts_take_linear_time() -> None:
    """A megabyte of what nearly looks like an address or a number is no trap."""
    for part in ("a.", "12-", "+1 ", "x@y.", "(12) ", "AB12 "):
        assert redact(saying(part * 200_000 + " ann@example.org")).messages


def test_numbers_of_real_conversations_are_phone_numbers_only(sources: Path) -> None:
    """In the test set nothing but phone numbers of places is found, and every one of them looks like one."""
    found = [find_pii(row.conversation) for row in read_traces(sources / "tft-benchmark" / "test.jsonl")]
    assert {kind for one in found for kind in one} == {"phone"}
