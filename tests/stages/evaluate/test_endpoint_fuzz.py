"""Whatever an endpoint sends, in whichever field, an evaluation ends with each pair scored or explained."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from benchmarks import endpoint_fuzz
from harness.models.backends.openai import read_message
from harness.models.chat.completions import parse_reply, read_reply
from harness.models.chat.failures import ChatReply


def test_arbitrary_completions_end_no_evaluation(terminal: Any) -> None:
    """`tests/benchmarks/endpoint_fuzz.py` does the same with 20,000 answers."""
    with endpoint_fuzz.serving(seed=1) as endpoint:
        rows = endpoint_fuzz.run(terminal.folder, endpoint.url, "ada/sample", terminal.environment)
    assert endpoint.sent >= 30
    assert len(rows) == 60
    assert endpoint_fuzz.unexplained(rows) == []


def test_any_reply_is_read_or_refused_and_what_is_read_can_be_written() -> None:
    """A reply that is no completion raises what the client takes for that."""
    read = 0
    for number in range(3000):
        for whole in (True, False):
            try:
                found, usage = read_reply(parse_reply(endpoint_fuzz.completion(Random(number))), whole=whole)
            except (ValueError, RecursionError):
                continue
            assert usage is None or usage.prompt < 2**63
            if not isinstance(found, ChatReply):
                assert found.reason
                continue
            found.text.encode()
            if whole:
                said = read_message(found.text)
                json.dumps(said.finish_reason)
                assert (said.raw is None) == bool(said.problem)
                f"{said.raw}{said.problem}{said.finish_reason}".encode()
                read += 1
    assert read > 2000
