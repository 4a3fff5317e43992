"""Calls written in each family's notation: by the chat templates that TRL ships, and by us for the other families.

Ours are written from the formats' descriptions; the templates are read from TRL's installation.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from harness.data.records import ToolCall

NO_TOOLS = {
    "cohere": "renders messages only",
    "cohere2": "renders messages only",
    "deepseek_r1_distill": "drops the calls of a message that has content, empty content included",
    "gemma": "renders messages only",
    "gemma3": "renders messages only",
    "idefics3": "renders lists of content parts only",
    "lfm2": "renders messages only",
    "llama3": "renders messages only",
    "llava_next": "renders lists of content parts only",
    "phi3": "renders messages only",
    "phi3_5": "renders messages only",
    "qwen2_5_vl": "renders messages only",
    "smolvlm": "renders lists of content parts only",
}
"""Templates that TRL ships without support for calls."""

ARGUMENTS_AS_TEXT = ("deepseekv3",)
"""Templates that paste the arguments into the text, and so need them as a JSON string."""


@cache
def templates() -> dict[str, str]:
    """Return TRL's chat templates by name, without the variants patched for training; empty without TRL."""
    spec = importlib.util.find_spec("trl")
    if spec is None or spec.origin is None:
        return {}
    folder = Path(spec.origin).parent / "chat_templates"
    return {path.stem: path.read_text() for path in sorted(folder.glob("*.jinja")) if "_training" not in path.stem}


def generated(name: str, calls: list[ToolCall], tools: list[dict[str, Any]]) -> list[str]:
    """Return what a model with that template would have generated for each call: the rest after the prompt."""
    return generated_turns(name, [(call,) for call in calls], tools)


def generated_turns(name: str, turns: Sequence[tuple[ToolCall, ...]], tools: list[dict[str, Any]]) -> list[str]:
    """Return the same for turns with several calls."""
    from transformers.utils.chat_template_utils import render_jinja_template

    options = {
        "tools": tools,
        "chat_template": templates()[name],
        "bos_token": "<s>",
        "eos_token": "</s>",
        "enable_thinking": False,
    }
    user = {"role": "user", "content": "A table for two, please."}
    prompt = render_jinja_template([[user]], add_generation_prompt=True, **options)[0][0]
    # Some prompts open thinking, which the rendered turn does not repeat.
    prompt = prompt.removesuffix("<think>\n")
    texts: list[str] = []
    for turn in turns:
        calls = [{"type": "function", "function": _function(name, call)} for call in turn]
        message = {"role": "assistant", "content": "", "tool_calls": calls}
        full = render_jinja_template([[user, message]], **options)[0][0]
        assert full.startswith(prompt)
        texts.append(full[len(prompt) :])
    return texts


def _function(name: str, call: ToolCall) -> dict[str, Any]:
    arguments = json.dumps(call.arguments, ensure_ascii=False) if name in ARGUMENTS_AS_TEXT else call.arguments
    return {"name": call.name, "arguments": arguments}


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


def _hunyuan_v4(call: ToolCall) -> str:
    pairs = _each(call, "<arg_key:7f>{key}</arg_key:7f><arg_value:7f>{value}</arg_value:7f>")
    return f"<tool_calls:7f><tool_call:7f>{call.name}{pairs}</tool_call:7f></tool_calls:7f>"


def _k2_horizon(call: ToolCall) -> str:
    pairs = _each(call, "<ifm|arg_key>{key}</ifm|arg_key><ifm|arg_value>{value}</ifm|arg_value>")
    return f"<ifm|tool_calls><ifm|tool_call>{call.name}{pairs}</ifm|tool_call></ifm|tool_calls>"


def _plamo3(call: ToolCall) -> str:
    def within(name: str, content: str) -> str:
        return f"<|plamo:begin_{name}:plamo|>{content}<|plamo:end_{name}:plamo|>"

    arguments = within("tool_arguments", f"<|plamo:constrain|>json<|plamo:msg|>{_json(call.arguments)}")
    return within("tool_requests", within("tool_request", within("tool_name", call.name) + arguments))


def _kimi_k3(call: ToolCall) -> str:
    arguments = _each(call, '<|open|>argument key="{key}" type="string"<|sep|>{value}<|close|>argument<|sep|>')
    body = f'<|open|>call tool="{call.name}" index="1"<|sep|>{arguments}<|close|>call<|sep|>'
    return f"<|open|>tools<|sep|>{body}<|close|>tools<|sep|>"


def _minimax_m3(call: ToolCall) -> str:
    mark = "]<]minimax[>["
    arguments = _each(call, f"{mark}<{{key}}>{{value}}{mark}</{{key}}>")
    return f'{mark}<tool_call>\n{mark}<invoke name="{call.name}">{arguments}{mark}</invoke>\n{mark}</tool_call>'


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
    ("kimi_k3", ""): _kimi_k3,
    ("minimax_m3", ""): _minimax_m3,
    ("plamo3", ""): _plamo3,
    ("k2_horizon", ""): _k2_horizon,
    ("hunyuan_v4", ""): _hunyuan_v4,
    ("glm4", ""): lambda call: f"{call.name}\n{_json(call.arguments)}",
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
