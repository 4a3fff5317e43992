"""What a chat template can be told about thinking, found by rendering it, whatever its words for that are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.data.formats.messages import expand_pairs
from harness.data.sample import sample_conversations, sample_task
from harness.data.tasks import TestSet
from harness.errors import UsageError
from harness.hub.artifact import Artifact
from harness.models.backends._base import EvaluateConfig
from harness.models.backends._thinking import THINKING_TOKENS, with_settings
from harness.models.backends.vllm import EvaluatedCheckpoint
from harness.models.engine.checkpoint import Checkpoint
from harness.models.prompts.make_prompts import TokenizerFiles
from harness.models.prompts.thinking import SETTINGS, find_thinking

TURNS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% for c in m.tool_calls or [] %}{{ c.function | tojson }}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% for t in tools or [] %}{{ t | tojson }}{% endfor %}<|im_start|>assistant\n"
)
NO_SWITCH = TURNS
ALWAYS = TURNS + "<think>\n"
USUAL = TURNS + "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
CLOSING_ONLY = TURNS + "{% if thinking %}<think>{% else %}</think>{% endif %}"
BY_DEFAULT = TURNS + "{% if thinking is defined and not thinking %}<think></think>{% else %}<think>{% endif %}"
IN_WORDS = TURNS + "{% if thinking_option == 'on' %}detailed thinking on{% endif %}"
EFFORT = (
    "Reasoning: {{ reasoning_effort or 'medium' }}{# <|channel|>analysis<|message|> and <|end|> #}\n"
    + TURNS
    + "<|start|>assistant"
)
WITH_NONE = (
    "{% if reasoning_effort is defined and reasoning_effort not in ('none', 'high') %}{{ raise_exception('no') }}"
    "{% endif %}" + TURNS + "{% if reasoning_effort == 'high' %}[THINK]{% endif %}"
)
BOTH = "{% if reasoning_effort == 'high' %}Think hard.{% elif reasoning_effort == 'low' %}Be quick.{% endif %}" + USUAL
IGNORED = USUAL.replace("not enable_thinking", "false") + "{# <think> </think> #}"


def variables(name: str, value: Any) -> dict[str, Any]:
    return {name: value}


ON_OFF = variables("enable_thinking", True), variables("enable_thinking", False)
TEMPLATES: dict[str, tuple[str, dict[str, dict[str, Any]], str | None]] = {
    # Template, what can be asked for with the variables that say so (None: nothing differs), what it does unasked.
    "no switch": (NO_SWITCH, {"auto": {}, "off": {}}, None),
    "always": (ALWAYS, {"auto": {}, "on": {}}, "default"),
    "usual": (USUAL, {"auto": {}, "on": ON_OFF[0], "off": ON_OFF[1]}, None),
    "closing only": (CLOSING_ONLY, {"auto": {}, "on": {"thinking": True}, "off": {"thinking": False}}, None),
    "by default": (BY_DEFAULT, {"auto": {}, "on": {"thinking": True}, "off": {"thinking": False}}, "default"),
    "in words": (IN_WORDS, {"auto": {}, "on": {"thinking_option": "on"}, "off": {"thinking_option": "off"}}, None),
    "effort": (
        EFFORT,
        {"auto": {}, **{one: {"reasoning_effort": one} for one in ("low", "medium", "high")}},
        "default",
    ),
    "effort with none": (
        WITH_NONE,
        {"auto": {}, "high": {"reasoning_effort": "high"}, "off": {"reasoning_effort": "none"}},
        None,
    ),
    "both": (
        BOTH,
        {
            "auto": {},
            "on": ON_OFF[0],
            "off": ON_OFF[1],
            **{one: {"enable_thinking": True, "reasoning_effort": one} for one in ("low", "medium", "high")},
        },
        None,
    ),
    "ignored": (IGNORED, {"auto": {}}, None),
}


@pytest.fixture
def files(student: Path, tmp_path: Path) -> Callable[[str], TokenizerFiles]:
    """The student's tokenizer with another chat template."""

    def make(template: str) -> TokenizerFiles:
        folder = tmp_path / str(abs(hash(template)))
        if not folder.exists():
            folder.mkdir()
            for path in student.iterdir():
                (folder / path.name).write_bytes(path.read_bytes())
            (folder / "chat_template.jinja").write_text(template)
        return TokenizerFiles(name="me/thinker", folder=folder)

    return make


@pytest.mark.parametrize("kind", TEMPLATES)
def test_what_a_template_has_is_found_by_rendering_it(kind: str, files: Callable[[str], TokenizerFiles]) -> None:
    template, has, unasked = TEMPLATES[kind]
    tools = list(sample_task().tools)
    for setting in SETTINGS:
        if setting not in has:
            with pytest.raises(UsageError) as refused:
                find_thinking(files(template), tools, setting)
            said = str(refused.value)
            assert f"--thinking {setting} " in said
            assert "me/thinker" in said
            others = [one for one in has if one != "auto"]
            assert all(f"--thinking {one}" in said for one in has), others
        else:
            found = find_thinking(files(template), tools, setting)
            assert found is None or (found["setting"], found["variables"]) == (setting, has[setting])
            assert found is not None or setting == "off"
    found = find_thinking(files(template), tools, None)
    assert (found and found["setting"]) == unasked
    assert found is None or found["variables"] == {"enable_thinking": False}  # as ever


@pytest.mark.parametrize(
    ("template", "marks"),
    [
        (ALWAYS, ("<think>", "</think>", "\n</think>")),
        (CLOSING_ONLY, ("<think>", "</think>", "</think>")),
        (EFFORT, ("<|channel|>analysis<|message|>", "<|end|>", "<|end|><|start|>assistant")),
        (WITH_NONE, ("[THINK]", "[/THINK]", "[/THINK]")),
        (IN_WORDS, ("<think>", "</think>", "</think>")),  # it shows none
    ],
)
def test_marks_are_the_templates_own_and_close_as_it_writes_them(
    template: str, marks: tuple[str, str, str], files: Callable[[str], TokenizerFiles]
) -> None:
    from harness.models.prompts.make_prompts import tokenizer_of

    found = find_thinking(files(template), [], "auto")
    assert found is not None
    tokenizer = tokenizer_of(files(template))
    assert (found["opening"], found["closing"], tokenizer.decode(found["closing_ids"])) == marks
    single = tokenizer.get_added_vocab().get(marks[1])
    assert found["closing_id"] == single


@pytest.fixture
def subject(files: Callable[[str], TokenizerFiles]) -> Callable[..., EvaluatedCheckpoint]:
    data = Artifact(kind="dataset", repo_id="me/data", revision="0" * 40)
    pairs = tuple(expand_pairs(sample_conversations(2)))
    test_set = TestSet(artifact=data, task=sample_task(), pairs=pairs, total=len(pairs))

    def make(template: str, setting: str | None = None, tokens: int | None = None) -> EvaluatedCheckpoint:
        artifact = Artifact(kind="model", repo_id="me/thinker", revision="1" * 40)
        checkpoint = Checkpoint(artifact=artifact, folder=files(template).folder, config={}, base_model=None)
        config = EvaluateConfig(thinking=(setting,), thinking_tokens=tokens)
        [made] = with_settings(lambda one: EvaluatedCheckpoint(checkpoint, test_set, one), config)
        made.make_prompts()
        return made

    return make


def test_where_nothing_is_asked_settings_and_prompts_are_those_of_before_there_was_a_choice(
    subject: Callable[..., EvaluatedCheckpoint],
) -> None:
    """So are the fingerprint and the answers that are kept; `off` is the same run where it is the same prompt."""
    plain, off, on, none = subject(USUAL), subject(USUAL, "off"), subject(USUAL, "on"), subject(NO_SWITCH)
    for one in (plain, none):
        assert one.settings.keys() == {
            *("backend", "engine", "engine_args", "max_tokens", "temperature", "thinking", "system_template"),
            "trust_remote_code",
        }
        assert (one.settings["thinking"], one.settings["max_tokens"]) == (False, 256)
        assert "thinking_variables" not in one.details
    assert (off.settings, off.prompt_hashes) == (plain.settings, plain.prompt_hashes)
    assert (on.settings["thinking"], on.settings["thinking_tokens"]) == ("on", THINKING_TOKENS)
    assert on.prompt_hashes != plain.prompt_hashes
    assert not any(prompt.opened for prompt in on.asked.values())


def test_a_model_that_thinks_unasked_gets_room_and_prompts_stay_as_they_were(
    subject: Callable[..., EvaluatedCheckpoint],
) -> None:
    always, asked = subject(ALWAYS), subject(ALWAYS, "on", 100)
    assert (always.settings["thinking"], always.settings["thinking_tokens"]) == ("default", THINKING_TOKENS)
    assert (asked.settings["thinking"], asked.settings["thinking_tokens"]) == ("on", 100)
    assert all(prompt.opened for prompt in always.asked.values())
    assert always.prompt_hashes == asked.prompt_hashes


def test_a_limit_of_thinking_where_there_is_none_is_refused(subject: Callable[..., EvaluatedCheckpoint]) -> None:
    with pytest.raises(UsageError, match=r"--thinking-tokens limits thinking, and me/thinker.* does not think here"):
        subject(USUAL, None, 100)
