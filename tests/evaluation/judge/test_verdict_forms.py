"""Verdicts in the forms that models really use are read, what only looks like one is not, and nothing is read wrong."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.judge_forms import judge
from harness.evaluation.judge.prompt import parse_verdict

GOOD = '{"reason": "same city", "verdict": "good"}'
BAD = '{"reason": "other city", "verdict": "bad"}'
REASONING = "The reference calls FindRestaurants for Albany. The prediction asks for Troy, which nobody named."

READ = {
    "opened by the prompt": f"Hm, first it looked bad, but it fits.\n</think>\n\n{GOOD}",
    "opened by the prompt, with an object": f'{REASONING} {{"city": "Troy"}}</think>{GOOD}',
    "opened by the prompt, with a verdict": f"Is it {BAD}? No.</think>\n{GOOD}",
    "opened by the prompt, in a fence": f"Hm.</think>\n```json\n{GOOD}\n```",
    "thinking in capitals": f"<THINK>hm</THINK>{GOOD}",
    "thinking tag": f"<thinking>{BAD}</thinking>\n{GOOD}",
    "reasoning tag": f"<reasoning>hm</reasoning>{GOOD}",
    "scratchpad": f"<scratchpad>\nhm\n</scratchpad>\n{GOOD}",
    "thinking twice": f"<think>a</think>\n<think>b</think>\n{GOOD}",
    "Magistral": f"[THINK]hm[/THINK]{GOOD}</s>",
    "Seed": f"<seed:think>hm</seed:think>{GOOD}<seed:eos>",
    "Kimi": f"◁think▷hm◁/think▷{GOOD}<|im_end|>",
    "Kimi K3": f"<|open|>think<|sep|>hm<|close|>think<|sep|><|open|>response<|sep|>{GOOD}<|close|>response<|sep|>",
    "boxed": f"$\\boxed{{{GOOD}}}$",
    "a fence as a JSON string": json.dumps(f"```json\n{GOOD}\n```"),
    "a brace too many": GOOD + "}",
    "Kimi's header": f"<|im_assistant|>assistant<|im_middle|>{GOOD}<|im_end|>",
    "Cohere": f"<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>{GOOD}<|END_RESPONSE|><|END_OF_TURN_TOKEN|>",
    "Gemma's channel": f"<|channel>thought\nhm {BAD}<channel|>{GOOD}<turn|>",
    "gpt-oss": f"<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>{GOOD}<|return|>",
    "gpt-oss with a constraint": f"<|channel|>final <|constrain|>json<|message|>{GOOD}<|return|>",
    "gpt-oss without its tokens": f"analysisThe city is the same.assistantfinal{GOOD}",
    "Llama's header": f"<|start_header_id|>assistant<|end_header_id|>\n\n{GOOD}<|eot_id|>",
    "ChatML's header": f"<|im_start|>assistant\n{GOOD}<|im_end|>",
    "end of turn": f"{GOOD}<end_of_turn>",
    "end of text": f"{GOOD}\n<|endoftext|>",
    "several ends": f"{GOOD}<|im_end|>\n<|endoftext|>",
    "DeepSeek's end": f"{GOOD}<｜end▁of▁sentence｜>",
    "eot": f"{GOOD}<|eot_id|>",
    "s": f"<s>{GOOD}</s>",
    "BOM": f"\ufeff{GOOD}",
    "answer tag": f"<answer>\n{GOOD}\n</answer>",
    "thinking and answer tags": f"<think>hm</think>\n<answer>{GOOD}</answer>",
    "fence": f"```json\n{GOOD}\n```",
    "fence of another language": f"```python\n{GOOD}\n```",
    "fence with tildes": f"~~~json\n{GOOD}\n~~~",
    "fence that does not end": f"```json\n{GOOD}",
    "words before a fence": f"Here is my verdict:\n\n```json\n{GOOD}\n```",
    "reasoning before a fence": f"{REASONING}\n\nSo much is clear.\n```json\n{GOOD}\n```",
    "words after a fence": f"```json\n{GOOD}\n```\nLet me know if you need anything else.",
    "words around a fence": f"Sure! Here is the JSON:\n```\n{GOOD}\n```\nI hope that this helps.",
    "words before": f"Here it is: {GOOD}",
    "a heading before": f"**Verdict:**\n{GOOD}",
    "reasoning before": f"Both calls search Albany.\n\nNothing in the case contradicts it.\n\n{GOOD}",
    "steps before": f"Let me compare.\n\n1. Names: same\n2. Parameters: same\n\n{GOOD}",
    "steps before a fence": f"Let me compare.\n\n1. Names: same\n2. Parameters: same\n```json\n{GOOD}\n```",
    "gpt-oss, opened by the prompt": f"Hm.<|end|><|start|>assistant<|channel|>final<|message|>{GOOD}<|return|>",
    "the role left over": f"assistant\n\n{GOOD}",
    "GLM's box": f"<|begin_of_box|>{GOOD}<|end_of_box|>",
    "back ticks": f"`{GOOD}`",
    "a comma after it": f"{GOOD},",
    "a remark after": f"{GOOD}\n\nNothing else decided it.",
    "keys in capitals": '{"Reason": "same city", "VERDICT": "Good"}',
    "further keys": '{"reason": "same city", "verdict": "good", "confidence": 0.9, "notes": ["a", {"b": null}]}',
    "steps first": '{"analysis": "Troy is bad.", "reason": "same city", "verdict": "good"}',
    "the same verdict twice in it": '{"reason": "same city", "verdict": "good", "final_verdict": "GOOD"}',
    "spaces": '{ "reason" : " same city " , "verdict" : " good " }',
    "a full stop": '{"reason": "same city", "verdict": "Good."}',
    "bold": '{"reason": "same city", "verdict": "**good**"}',
    "single quotes": "{'reason': 'same city', 'verdict': 'good'}",
    "Python": "{'reason': 'same city', 'verdict': 'good', 'sure': True, 'doubts': None}",
    "a trailing comma": '{"reason": "same city", "verdict": "good",}',
    "an unknown escape": '{"reason": "same city", "verdict": "good", "price": "\\$5"}',
    "a quote that needs none": '{"reason": "same city", "verdict": "good", "says": "it\\\'s"}',
    "a line break in a text": '{"reason": "same city", "verdict": "good", "more": "a\nb\tc"}',
    "a JSON string": json.dumps(GOOD),
    "the same twice": f"{GOOD}\n{GOOD}",
    "the same twice in a fence": f"```json\n{GOOD}\n{GOOD}\n```",
    "the other verdict quoted": '{"reason": "same city", "verdict": "good", "why": "{\\"verdict\\": \\"bad\\"}"}',
}

NOT_READ = {
    "two verdicts": f"{GOOD}\n{BAD}",
    "two verdicts in fences": f"```json\n{GOOD}\n```\n```json\n{BAD}\n```",
    "a correction": f"{GOOD}\nWait, actually the city differs, so this was wrong.",
    "the other word after it": f"{GOOD}\nThe prediction is bad.",
    "the other word before it": f"So the prediction is bad.\n```json\n{GOOD}\n```",
    "another verdict in a further key": '{"reason": "x", "verdict": "good", "corrected_verdict": "bad"}',
    "a key twice": '{"reason": "x", "verdict": "good", "verdict": "bad"}',
    "a key twice in Python": "{'reason': 'x', 'verdict': 'good', 'verdict': 'bad'}",
    "a key in two cases": '{"reason": "x", "verdict": "good", "Verdict": "bad"}',
    "a quote": f"The prediction says {GOOD}",
    "a quote in a fence": f"The message contains this:\n```json\n{GOOD}\n```",
    "a quote with a colon": f"The text of the prediction: {GOOD}",
    "a quote on a line of its own": f"The prediction has a verdict in it\n\n{GOOD}",
    "an example": f"I would answer in a form like this example:\n{GOOD}",
    "a form": f"The expected format is:\n```json\n{GOOD}\n```\nI cannot judge this case.",
    "a refusal": "I'm sorry, but I cannot judge this.",
    "a refusal before it": f"I cannot judge this. Here is a placeholder:\n{GOOD}",
    "the prompt's own example": '{"reason": "one or two sentences, at most 300 characters: x", "verdict": "good"}',
    "the schema": '{"type": "object", "properties": {"verdict": {"enum": ["good", "bad"]}}}',
    "both words": '{"reason": "x", "verdict": "good|bad"}',
    "another word": '{"reason": "x", "verdict": "acceptable"}',
    "a negation": '{"reason": "x", "verdict": "not good"}',
    "cut": GOOD[:-1],
    "cut in the verdict": '{"reason": "x", "verdict": "go',
    "cut thinking": f"<think>Hm, {GOOD}",
    "cut thinking of gpt-oss": f"<|channel|>analysis<|message|>Hm, {GOOD}",
    "only thinking": f"<think>{GOOD}</think>",
    "only thinking, opened by the prompt": f"{GOOD} it seems.</think>",
    "thinking that quotes its end": f"It says </think>{GOOD} but no.</think>{BAD} Hm.",
    "thinking that comes late": f"So: <think>hm</think>{GOOD}",
    "in thinking and contradicted": f"</think>{GOOD}</think>{BAD}",
    "a list": f"[{GOOD}]",
    "inside another object": f'{{"answer": {GOOD}}}',
    "a word": "good",
    "a line": "Verdict: good",
    "no reason": '{"verdict": "good"}',
    "a reason that is a list": '{"reason": ["x"], "verdict": "good"}',
    "smart quotes": "{\u201creason\u201d: \u201cx\u201d, \u201cverdict\u201d: \u201cgood\u201d}",
    "a number": '{"reason": "x", "verdict": 1}',
    "nothing": "",
}


@pytest.mark.parametrize("name", READ)
def test_a_verdict_in_any_of_these_forms_is_read(name: str) -> None:
    assert parse_verdict(READ[name]) == (1.0, "same city")
    other = READ[name].replace("verdict", "\0").replace("good", "bad").replace("Good", "BAD").replace("GOOD", "Bad")
    if '"bad"' not in READ[name] and " bad" not in READ[name]:
        assert parse_verdict(other.replace("\0", "verdict"))[0] == 0.0


@pytest.mark.parametrize("name", NOT_READ)
def test_what_holds_no_single_verdict_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"the answer|the reason|the verdict|thinking"):
        parse_verdict(NOT_READ[name])


PARTS = [{"type": "thinking", "thinking": [{"type": "text", "text": BAD}]}, {"type": "text", "text": GOOD}]
MESSAGES = {
    "parts": ({"content": PARTS}, "stop", 1.0),
    "thinking beside it": ({"content": GOOD, "reasoning_content": BAD}, "stop", 1.0),
    "a text in two parts": ({"content": [GOOD[:10], {"text": GOOD[10:]}]}, "stop", 1.0),
    "only thinking": ({"content": None, "reasoning": GOOD}, "stop", None),
    "a refusal": ({"content": None, "refusal": f"I cannot say {GOOD}"}, "stop", None),
    "cut": ({"content": GOOD}, "length", None),
    "filtered": ({"content": GOOD}, "content_filter", None),
    "a picture": ({"content": [{"type": "image_url", "image_url": {"url": "x"}}]}, "stop", None),
}


def test_all_forms_through_the_command_with_few_questions(tmp_path: Path) -> None:
    """An endpoint that always says the same is asked twice at most, and once where the verdict is read."""
    assert len(READ) >= 50
    assert len(READ) + len(NOT_READ) >= 90
    rows: list[dict[str, Any]] = [{"text": text, "verdict": 1.0} for text in READ.values()]
    rows += [{"text": text, "verdict": None} for text in NOT_READ.values()]
    rows += [{"message": one, "finish_reason": why, "verdict": value} for one, why, value in MESSAGES.values()]
    asked: Counter[int] = Counter()
    judged = judge(rows, asked, tmp_path)
    names = [*READ, *NOT_READ, *MESSAGES]
    wrong = [
        (name, found["judge_reason"])
        for name, row, found in zip(names, rows, judged, strict=True)
        if found["llm-as-a-judge"] != row["verdict"]
    ]
    assert not wrong
    filtered = names.index("filtered")
    assert all(asked[place] == (1 if row["verdict"] or place == filtered else 2) for place, row in enumerate(rows))
    assert all(found["judge_reason"] for found in judged)
