"""Calls written in each family's notation, for the families whose chat templates are not at hand.

Written by us from the formats' descriptions; the templates that TRL ships are used where there are any.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from harness.data.records import ToolCall


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _object(call: ToolCall, key: str = "arguments") -> str:
    return _json({"name": call.name, key: call.arguments})


def _python(call: ToolCall) -> str:
    return f"{call.name}({', '.join(f'{key}={value!r}' for key, value in call.arguments.items())})"


def _each(call: ToolCall, pattern: str) -> str:
    return "".join(pattern.format(key=key, value=value) for key, value in call.arguments.items())


def _dsml(call: ToolCall, block: str, gap: str = "") -> str:
    mark = f"｜DSML｜{gap}"
    arguments = _each(call, f'<{mark}parameter name="{{key}}" string="true">{{value}}</{mark}parameter>\n')
    return f'<{mark}{block}>\n<{mark}invoke name="{call.name}">\n{arguments}</{mark}invoke>\n</{mark}{block}>'


def _mistral_old(call: ToolCall) -> str:
    return f"[TOOL_CALLS][{_object(call)}]"


def _attributes(call: ToolCall, block: str) -> str:
    arguments = _each(call, '<parameter name="{key}">{value}</parameter>\n')
    return f'<{block}>\n<invoke name="{call.name}">\n{arguments}</invoke>\n</{block}>'


def _minicpm(call: ToolCall) -> str:
    return f'<function name="{call.name}">' + _each(call, '<param name="{key}">{value}</param>') + "</function>"


def _step3(call: ToolCall) -> str:
    arguments = _each(call, '<steptml:parameter name="{key}">{value}</steptml:parameter>')
    return (
        "<｜tool_calls_begin｜><｜tool_call_begin｜>function<｜tool_sep｜>"
        f'<steptml:invoke name="{call.name}">{arguments}</steptml:invoke><｜tool_call_end｜><｜tool_calls_end｜>'
    )


def _seed(call: ToolCall) -> str:
    arguments = _each(call, "<parameter={key}>{value}</parameter>\n")
    return f"<seed:tool_call>\n<function={call.name}>\n{arguments}</function>\n</seed:tool_call>"


def _mimo(call: ToolCall) -> str:
    arguments = _each(call, "<parameter={key}>{value}</parameter>\n")
    return f"<tool_call>\n<function={call.name}>\n{arguments}</function>\n</tool_call>"


def _hunyuan_v3(call: ToolCall) -> str:
    arguments = _each(call, "<arg_key>{key}</arg_key>\n<arg_value>{value}</arg_value>\n")
    return f"<tool_calls>\n<tool_call>{call.name}<tool_sep>\n{arguments}</tool_call>\n</tool_calls>"


def _functiongemma(call: ToolCall) -> str:
    pairs = ",".join(f"{key}:<escape>{value}<escape>" for key, value in call.arguments.items())
    return f"<start_function_call>call:{call.name}{{{pairs}}}<end_function_call>"


def _kimi(call: ToolCall) -> str:
    return (
        f"<|tool_calls_section_begin|><|tool_call_begin|>functions.{call.name}:0<|tool_call_argument_begin|>"
        f"{_json(call.arguments)}<|tool_call_end|><|tool_calls_section_end|>"
    )


def _deepseek_v31(call: ToolCall) -> str:
    return (
        f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>{call.name}<｜tool▁sep｜>"
        f"{_json(call.arguments)}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
    )


def _cohere(call: ToolCall) -> str:
    calls = [{"tool_call_id": "0", "tool_name": call.name, "parameters": call.arguments}]
    return f"<|START_ACTION|>{_json(calls)}<|END_ACTION|>"


RENDERINGS: dict[tuple[str, str], Callable[[ToolCall], str]] = {
    ("plain", ""): lambda call: _object(call, "parameters"),
    ("plain", "arguments"): _object,
    ("mistral", "up to v10"): _mistral_old,
    ("mistral", "v11"): lambda call: f"[TOOL_CALLS]{call.name}{_json(call.arguments)}",
    ("mistral", "v13"): lambda call: f"[TOOL_CALLS]{call.name}[ARGS]{_json(call.arguments)}",
    ("llama3", ""): lambda call: _object(call, "parameters"),
    ("llama3", "python tag"): lambda call: f"<|python_tag|>{_object(call, 'parameters')}",
    ("granite", ""): lambda call: f"<|tool_call|>[{_object(call)}]",
    ("granite31", ""): lambda call: f"<tool_call>[{_object(call)}]",
    ("granite_20b", ""): lambda call: f"<function_call> {_object(call)}",
    ("jamba", ""): lambda call: f"<tool_calls>[\n{_object(call)}\n]</tool_calls>",
    ("phi4_mini", ""): lambda call: f"functools[{_object(call)}]",
    ("phi4", ""): lambda call: f"<|tool_call|>[{_object(call)}]<|/tool_call|>",
    ("cohere", ""): _cohere,
    ("xlam", ""): lambda call: f"[{_object(call)}]",
    ("apertus", ""): lambda call: f"<|tools_prefix|>[{_json({call.name: call.arguments})}]<|tools_suffix|>",
    ("longcat", ""): lambda call: f"<longcat_tool_call>\n{_object(call)}\n</longcat_tool_call>",
    ("internlm", ""): lambda call: f"<|action_start|><|plugin|>\n{_object(call, 'parameters')}<|action_end|>\n",
    ("minimax_m1", ""): lambda call: f"<tool_calls>\n{_object(call)}\n</tool_calls>",
    ("gigachat3", ""): lambda call: f"function call<|role_sep|>\n{_object(call)}",
    ("inkling", ""): lambda call: f"<|content_invoke_tool_json|>{_json({'name': call.name, 'args': call.arguments})}",
    ("pythonic", ""): lambda call: f"[{_python(call)}]",
    ("llama4", ""): lambda call: f"<|python_start|>[{_python(call)}]<|python_end|>",
    ("olmo3", ""): lambda call: f"<function_calls>{_python(call)}</function_calls>",
    ("tool_code", ""): lambda call: f"```tool_code\n{_python(call)}\n```",
    ("deepseek_v31", ""): _deepseek_v31,
    ("deepseek_v32", ""): lambda call: _dsml(call, "function_calls"),
    ("deepseek_v4", ""): lambda call: _dsml(call, "tool_calls"),
    ("deepseek_v41", ""): lambda call: _dsml(call, "calls", " "),
    ("kimi_k2", ""): _kimi,
    ("seed_oss", ""): _seed,
    ("mimo", ""): _mimo,
    ("minimax_m2", ""): lambda call: _attributes(call, "minimax:tool_call"),
    ("dots", ""): lambda call: _attributes(call, "dots_function_call"),
    ("minicpm5", ""): _minicpm,
    ("step3", ""): _step3,
    ("hunyuan_v3", ""): _hunyuan_v3,
    ("functiongemma", ""): _functiongemma,
}
"""(family, variant) -> how it writes one call."""
