"""The repositories of `hostile_models.py`: a small harmless one with files replaced."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Mapping
from typing import Any

Files = Mapping[str, bytes]

LOOPS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
TEMPLATES: dict[str, str] = {
    "loops": LOOPS,
    "power": "{{ 9**(9**8) }}",
    "repeat": "{{ 'a ' * 15 * 10**7 }}",
    "lipsum": "{{ lipsum(n=100000) }}",
    "center": "{{ 'a' | center(10**9) }}",
    "width": "{{ '%099999999d' % 1 }}",
    "format": "{{ '{:>999999999}'.format(1) }}",
    "join": "{{ (range(99999) | join) * 9999 }}",
    "macro": "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}",
    "recursion": "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
    "filters": "{{ 'a'" + " | upper" * 20_000 + " }}",
    "brackets": "{{ " + "(" * 50_000 + "1" + ")" * 50_000 + " }}",
    "literal": "{% set a = [" + "1," * 400_000 + "] %}",
    "surrogate": "{{ '\\ud800' }}",
    "long": "{{ 'a' * 6_000_000 }}",
    "doubling": "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}",
    "lists": "{{ (range(99999) | list) * 9999 }}",
    "urlize": "{{ (('www.' * 9999) * 99) | urlize }}",
    "include": "{% include '/etc/passwd' %}",
    "classes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "raise": "{{ raise_exception('\\n::error ::stopped\\n' * 999) }}",
    "syntax": "{% for a in %}",
}
"""By name, what is put before the chat template."""

ENGINE = {
    "rope",
    "quantization",
    "shapes",
    "dtype",
    "card-tag",
    "card-merge",
    "card-nul",
    "card-deep",
    "tokenizer-split",
}
"""Those that come to the start of an engine."""


def repositories(usual: Files) -> dict[str, Files]:
    """Return the files of each repository by its name."""
    found = {f"template-{name}": usual | _template(text, usual) for name, text in TEMPLATES.items()}
    found |= {f"template-{name}": usual | files for name, files in _placed(usual).items()}
    found |= {f"tokenizer-{name}": usual | files for name, files in _tokenizers(usual).items()}
    found |= {name: {**usual, **files} for name, files in _configs(usual).items()}
    found |= {name: {**usual, "README.md": card} for name, card in _CARDS.items()}
    found["pickle"] = {name: body for name, body in usual.items() if "safetensors" not in name} | {"a.bin": b"cos\n"}
    return found | _adapters()


def _template(text: str, usual: Files) -> Files:
    return {"chat_template.jinja": text.encode() + usual["chat_template.jinja"]}


def _object(usual: Files, file: str, **changes: Any) -> Files:
    """Return a JSON file with other values."""
    return {file: json.dumps(json.loads(usual[file]) | changes).encode()}


def _placed(usual: Files) -> dict[str, Files]:
    """Return templates in the other places where they may be."""
    named = [{"name": name, "template": LOOPS} for name in ("default", "tool_use")]
    return {
        "named": {**_object(usual, "tokenizer_config.json", chat_template=named), "chat_template.jinja": b""},
        "folder": {"additional_chat_templates/tool_use.jinja": LOOPS.encode()},
        "bytes": {"chat_template.jinja": b"\xff\xfe\x00" * 99},
    }


def _growing(*, times: int = 8) -> dict[str, Any]:
    step = {"type": "Replace", "pattern": {"String": "e"}, "content": "e" * 10}
    return {"type": "Sequence", "normalizers": [step] * times}


def _tokenizers(usual: Files) -> dict[str, Files]:
    whole = json.loads(usual["tokenizer.json"])
    words = [f"w{number}x{random.Random(number).random()}" for number in range(300_000)]
    added = [
        {"id": 1000 + place, "content": word, "special": True, "normalized": False, "single_word": False}
        | {"lstrip": False, "rstrip": False}
        for place, word in enumerate(words)
    ]

    def changed(**changes: Any) -> Files:
        return {"tokenizer.json": json.dumps(whole | changes).encode()}

    def split(pattern: str) -> dict[str, Any]:
        return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}

    steps = [{"type": "Replace", "pattern": {"String": "e"}, "content": "e" * 10}] * 9
    return {
        "normalizer": changed(normalizer=_growing()),
        "prepend": changed(normalizer={"type": "Prepend", "prepend": "a" * 50_000_000}),
        "split": changed(pre_tokenizer=split(r"(?:(?:a|e|.)+)+\x00")),
        "regex": changed(normalizer={"type": "Replace", "pattern": {"Regex": r"(.+)+\x00"}, "content": ""}),
        "decoder": changed(decoder={"type": "Sequence", "decoders": steps}),
        "added": changed(added_tokens=[*whole["added_tokens"], *added]),
        "nested": {"tokenizer.json": _nested(whole).encode()},
        "null": {"tokenizer.json": b"null"},
        "bytes": {"tokenizer.json": b"\xff" * 999},
        "large": {"tokenizer.json": b" " * (140 << 20)},
        "empty": changed(model={"type": "WordLevel", "vocab": {}, "unk_token": "?"}),
        "config-list": {"tokenizer_config.json": b"[]"},
        "config-kinds": _object(usual, "tokenizer_config.json", tokenizer_class=5, model_max_length="x", eos_token={}),
    }


def _nested(whole: dict[str, Any]) -> str:
    deep = '{"type":"Sequence","normalizers":[' * 5000 + "]}" * 5000
    return json.dumps(whole | {"normalizer": "HERE"}).replace('"HERE"', deep)


def _header(length: int, text: str) -> bytes:
    return struct.pack("<Q", length) + text.encode() + bytes(64)


def _configs(usual: Files) -> dict[str, Files]:
    def config(**changes: Any) -> Files:
        return _object(usual, "config.json", **changes)

    tensor = (
        '{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]},"b":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}'
    )
    ends = json.dumps({"eos_token_id": list(range(10**6))}).encode()
    outside = json.dumps({"weight_map": {"a": "../../../etc/passwd"}}).encode()
    return {
        "deep": {"config.json": b'{"a":' * 5000 + b"1" + b"}" * 5000},
        "architectures": config(architectures=5),
        "vocabulary": config(vocab_size=10**12),
        "width": config(hidden_size=0),
        "layers": config(num_hidden_layers=10**9),
        "negative": config(num_attention_heads=-4),
        "context": config(max_position_embeddings=10**15),
        "nan": config(rope_theta=float("nan")),
        "parameters": config(vocab_size=1 << 23, hidden_size=1 << 18),
        "digits": {"config.json": b'{"a":' + b"9" * 9999 + b"}"},
        "own-code": config(auto_map={"AutoConfig": "x.Y"}),
        "rope": config(rope_scaling={"type": "none such", "factor": -1}),
        "quantization": config(quantization_config={"quant_method": "none such", "bits": 10**9}),
        "shapes": config(intermediate_size=64),
        "dtype": config(torch_dtype="none such", dtype="none such"),
        "generation-ends": {"generation_config.json": ends},
        "generation-nan": {"generation_config.json": b'{"temperature": NaN, "top_k": "x"}'},
        "index": {"model.safetensors.index.json": outside},
        "header-length": {"model.safetensors": _header(10**12, "{}")},
        "header-overlap": {"model.safetensors": _header(len(tensor), tensor)},
        "header-nested": {"model.safetensors": _header(50_000, "[" * 50_000)},
    }


_MERGES = "".join(f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
_CARDS = {
    "card-tag": b"---\nbase_model: !!bool maybe\n---\n",
    "card-merge": f"---\na0: &a0 {{x: 1}}\n{_MERGES}base_model: a/b\n---\n".encode(),
    "card-nul": b"---\nbase_model: \x00\n---\n",
    "card-deep": b"---\na: " + b"[" * 3000 + b"\n---\n",
}


def _adapters() -> dict[str, Files]:
    usual = {"peft_type": "LORA", "r": 8, "lora_alpha": 8, "target_modules": ["q_proj"]}
    weights = _header(2, "{}")[:10]

    def adapter(weights: bytes = weights, **changes: Any) -> Files:
        config = json.dumps(usual | changes).encode()
        return {"adapter_config.json": config, "adapter_model.safetensors": weights}

    return {
        "adapter-rank": adapter(r=10**9),
        "adapter-list": {"adapter_config.json": b"[]", "adapter_model.safetensors": weights},
        "adapter-alpha": adapter(lora_alpha=float("nan")),
        "adapter-targets": adapter(target_modules=5),
        "adapter-header": adapter(weights=_header(10**12, "{}")),
        "adapter-template": {**adapter(), "chat_template.jinja": LOOPS.encode()},
    }
