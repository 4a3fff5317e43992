"""A second reading by vLLM's own tool parsers, where vLLM is installed."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from harness.data.records import ToolCall
from harness.errors import EngineError, UsageError
from harness.models.parsing.family import Reading


def read_with_vllm(
    texts: Sequence[str], parser: str, tokenizer: Any, tools: Sequence[Mapping[str, Any]] = ()
) -> list[Reading]:
    """Read each text with the vLLM parser of that name (`--tool-call-parser`), as its server does without streaming.

    `tokenizer` is the model's own (a transformers tokenizer): many parsers look up special tokens in it.
    `tools` are JSON-schema definitions; parsers of untyped notations take the types from them. A parser that
    raises gives a Reading with its message as the reason. Raises EngineError without vLLM, and UsageError for
    an unknown parser or one that this tokenizer does not suit.
    """
    # vLLM logs to stdout, which belongs to results; it reads this when it is imported.
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
    try:
        from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
        from vllm.tool_parsers import ToolParserManager
    except ImportError as error:
        raise EngineError("vLLM is not installed; install it with: pip install 'tft-harness[cpu]'") from error
    definitions = [dict(tool) if "function" in tool else {"type": "function", "function": dict(tool)} for tool in tools]
    request = ChatCompletionRequest(messages=[], tools=definitions or None)
    with _without_logs():
        try:
            kind = ToolParserManager.get_tool_parser(parser)
            kind(tokenizer, request.tools)
        except Exception as error:  # vLLM raises what each parser likes
            raise UsageError(f"vLLM's tool parser {parser!r} cannot be used with this tokenizer: {error}") from error
        return [_read_one(kind, text, tokenizer, request) for text in texts]


@contextmanager
def _without_logs() -> Iterator[None]:
    """Keep vLLM from logging a traceback for each text that a parser cannot read: the reading says so."""
    logger = logging.getLogger("vllm")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def _read_one(kind: Any, text: str, tokenizer: Any, request: Any) -> Reading:
    try:
        # A parser keeps state between calls, so each text gets its own.
        found = kind(tokenizer, request.tools).extract_tool_calls(text, request)
        calls = [_call(call) for call in found.tool_calls] if found.tools_called else []
    except Exception as error:  # a parser's failure on a text is a reading of it, not an error of ours
        return Reading(call=None, reason=f"the parser failed: {type(error).__name__}: {error}", calls=0)
    if not calls:
        return Reading(call=None, reason="the parser found no tool call", calls=0)
    return Reading(call=calls[0], reason=None, calls=len(calls), every=tuple(calls))


def _call(call: Any) -> ToolCall:
    arguments = json.loads(call.function.arguments) if call.function.arguments.strip() else {}
    if not isinstance(arguments, dict):
        raise ValueError(f"arguments that are no object: {call.function.arguments[:80]}")
    return ToolCall(name=call.function.name, arguments=arguments)
