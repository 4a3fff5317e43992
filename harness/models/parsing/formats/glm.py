"""GLM 4.5 and later: the name, then elements for key and value in turn; Hunyuan 3 and Step 3 nest it deeper."""

from __future__ import annotations

import re

from harness.models.parsing.elements import Elements
from harness.models.parsing.family import Family
from harness.models.parsing.key_values import KeyValues

FAMILIES = (
    Family(
        name="glm",
        scan=KeyValues(opening="<tool_call>", closing="</tool_call>"),
        vllm_parser="glm45",
        markers=("<tool_call>", "</tool_call>", "<arg_key>", "<arg_value>"),
        also=("glm47", "ling3", "poolside_v1"),
    ),
    Family(
        name="hunyuan_v3",
        scan=KeyValues(
            opening="<tool_call>",
            closing="</tool_call>",
            separator="<tool_sep>",
            wrapper=("<tool_calls>", "</tool_calls>"),
        ),
        vllm_parser="hy_v3",
        markers=("<tool_call>", "</tool_call>", "<arg_key>", "<arg_value>", "<tool_sep>"),
    ),
    Family(
        name="step3",
        scan=Elements(
            opening="<steptml:invoke",
            invoke=re.compile(r'<steptml:invoke name="(?P<name>[^"<>]{1,200}+)">'),
            invoke_end="</steptml:invoke>",
            parameter=re.compile(r'<steptml:parameter name="(?P<name>[^"<>]{1,200}+)">'),
            parameter_end="</steptml:parameter>",
            wrapper=(
                "<｜tool_calls_begin｜><｜tool_call_begin｜>function<｜tool_sep｜>",
                "<｜tool_call_end｜><｜tool_calls_end｜>",
            ),
        ),
        vllm_parser="step3",
        markers=("<steptml:invoke", "<steptml:parameter"),
    ),
)
