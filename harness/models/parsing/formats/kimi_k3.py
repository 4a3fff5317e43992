"""Kimi K3: elements between `<|open|>`, `<|sep|>` and `<|close|>`, each argument with the type of its value."""

from __future__ import annotations

import re

from harness.models.parsing.elements import Elements
from harness.models.parsing.family import Family

FAMILIES = (
    Family(
        name="kimi_k3",
        scan=Elements(
            opening="<|open|>call",
            invoke=re.compile(
                r'<\|open\|>call tool="(?P<name>[^"<>]{1,200}+)"(?: \w{1,20}="[^"<>]{0,40}"){0,4}<\|sep\|>'
            ),
            invoke_end="<|close|>call<|sep|>",
            parameter=re.compile(
                r'<\|open\|>argument key="(?P<name>[^"<>]{1,200}+)"(?: type="(?P<kind>\w{1,20}+)")?<\|sep\|>'
            ),
            parameter_end="<|close|>argument<|sep|>",
            wrapper=("<|open|>tools<|sep|>", "<|close|>tools<|sep|>"),
        ),
        vllm_parser="kimi_k3",
        markers=("<|open|>", "<|sep|>", "<|close|>"),
    ),
)
