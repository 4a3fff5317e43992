"""Training shows every turn exactly as serving asks for it: text, token ids, end marks, templates."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.formats.published import read_test_conversations
from harness.data.formats.task import read_task
from harness.data.records import Conversation, Message, Task, ToolCall, TurnPair
from harness.data.sample import sample_conversations, sample_task
from harness.errors import ModelError
from harness.models import parsing
from harness.models.prompts import Form, Renderer, load_tokenizer
from harness.training.rendering import TrainingRendering, choose_rendering
from harness.training.templates import training_variant

SAMPLE = sample_conversations(4)
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""A template that knows nothing of tools and calls."""
SPECIAL = Path(__file__).parents[1] / "models" / "parsing" / "special_tokens.txt"


@pytest.fixture
def tokenizer(student: Path) -> Callable[..., Any]:
    """The student's tokenizer, with another chat template where one is given."""

    def load(template: str | None = None) -> Any:
        loaded = load_tokenizer(student, "me/student")
        loaded.chat_template = template or loaded.chat_template
        return loaded

    return load


@cache
def templates() -> dict[str, str]:
    """TRL's chat templates by name, those for training too; empty without TRL."""
    spec = importlib.util.find_spec("trl")
    if spec is None or spec.origin is None:
        return {}
    folder = Path(spec.origin).parent / "chat_templates"
    return {path.stem: path.read_text("utf-8") for path in sorted(folder.glob("*.jinja"))}


def trl(name: str) -> str:
    if name not in templates():
        pytest.skip("needs TRL for its chat templates")
    return templates()[name]


def sent(tokenizer: Any, task: Task, form: Form, conversation: Conversation) -> list[tuple[int, ...]]:
    """What `tft evaluate` sends for each assistant turn."""
    pairs = [
        TurnPair(
            id=f"{conversation.id}:{position}",
            conversation=conversation.id,
            turn=position,
            prefix=conversation.messages[:position],
            reference=ToolCall(name="", arguments={}),
        )
        for position, message in enumerate(conversation.messages)
        if message.role == "assistant"
    ]
    return [prompt.token_ids for prompt in Renderer(tokenizer, task, "me/student", form).prompts(pairs)]


def assert_exact(rendering: TrainingRendering, task: Task, conversations: Sequence[Conversation]) -> int:
    """Check that each turn follows what is sent for it and ends with an end mark; return how many there are."""
    turns = 0
    for conversation in conversations:
        [piece] = rendering.pieces(conversation.messages)
        ids, spans = piece.ids, piece.spans
        prompts = sent(rendering.tokenizer, task, rendering.form, conversation)
        assert len(prompts) == len(spans)
        for prompt, (start, end) in zip(prompts, spans, strict=True):
            assert ids[:start] == prompt
            assert ids[end - 1] in rendering.end_ids
            turns += 1
        assert len(ids) == spans[-1][1]
    return turns


def test_every_turn_of_fifty_conversations_follows_the_prompt_that_evaluation_sends(
    sources: Path, tokenizer: Callable[..., Any]
) -> None:
    """And what carries loss is the call in the model's own notation and the end mark, nothing else."""
    folder = sources / "tft-benchmark"
    task = read_task(folder / "job_description.json")
    conversations = [*read_test_conversations(folder / "test.jsonl"), *sample_conversations(16)]
    rendering = choose_rendering(tokenizer(trl("qwen3")), task, "me/student", conversations)
    assert len(conversations) == 50
    assert assert_exact(rendering, task, conversations) > 500
    for conversation in conversations[::10]:
        [piece] = rendering.pieces(conversation.messages)
        ids, spans = piece.ids, piece.spans
        calls = [message.tool_calls[0] for message in conversation.messages if message.role == "assistant"]
        for call, (start, end) in zip(calls, spans, strict=True):
            text = rendering.tokenizer.decode(ids[start : end - 1])
            assert parsing.read(text, family="hermes", strict=True).call == call


def test_on_the_test_set_qwen3s_own_template_changes_325_of_359_turns_and_trls_variant_none(
    sources: Path, tokenizer: Callable[..., Any]
) -> None:
    folder = sources / "tft-benchmark"
    task = read_task(folder / "job_description.json")
    conversations = read_test_conversations(folder / "test.jsonl")
    with pytest.raises(ModelError, match=r"writes '<tool_call>\\n.* instead of '<think>.*in turn 0 of .*325 of 359"):
        TrainingRendering(tokenizer(trl("qwen3")), task, "me/student").check(conversations)
    TrainingRendering(tokenizer(trl("qwen3_training")), task, "me/student").check(conversations)


def test_the_own_template_is_kept_where_it_preserves_prefixes(tokenizer: Callable[..., Any]) -> None:
    own = tokenizer()
    rendering = choose_rendering(own, sample_task(), "me/student", SAMPLE)
    assert (rendering.source, rendering.template) == ("own", own.chat_template)
    assert rendering.end_ids == (own.eos_token_id,)
    assert_exact(rendering, sample_task(), SAMPLE)


def test_otherwise_trls_variant_is_taken_and_the_given_tokenizer_stays_as_it_is(
    tokenizer: Callable[..., Any], tmp_path: Path
) -> None:
    """The rendering's tokenizer can be saved and loaded with its template."""
    own = tokenizer(trl("qwen3"))
    rendering = choose_rendering(own, sample_task(), "me/student", SAMPLE)
    assert rendering.source == "trl:qwen3_training.jinja"
    assert own.chat_template == trl("qwen3")
    rendering.tokenizer.save_pretrained(tmp_path)
    assert load_tokenizer(tmp_path, "me/trained").chat_template == rendering.template


def test_a_plain_request_to_the_trained_model_is_rendered_with_thinking_off(tokenizer: Callable[..., Any]) -> None:
    """And one that asks for thinking, or says no, is rendered as by the template before."""
    rendering = choose_rendering(tokenizer(trl("qwen3")), sample_task(), "me/student", SAMPLE)
    messages = [{"role": "user", "content": "Hello"}]

    def prompt(template: str, **options: Any) -> str:
        return rendering.tokenizer.apply_chat_template(
            messages, chat_template=template, add_generation_prompt=True, tokenize=False, **options
        )

    for thinking in (True, False):
        ours, trls = (prompt(one, enable_thinking=thinking) for one in (rendering.template, trl("qwen3_training")))
        assert ours == trls
    assert prompt(rendering.template) == prompt(rendering.template, enable_thinking=False)
    assert prompt(rendering.template) != prompt(rendering.template, enable_thinking=True)


@pytest.mark.parametrize("template", [CHATML, CHATML + "{# #}{{ '' if tools else '' }}"], ids=["plain", "with tools"])
def test_tools_and_calls_as_text_are_exact_too(tokenizer: Callable[..., Any], template: str) -> None:
    rendering = choose_rendering(tokenizer(template), sample_task(), "me/student", SAMPLE)
    assert rendering.form == Form(tools_in_template=False)
    assert_exact(rendering, sample_task(), SAMPLE)
    [piece] = rendering.pieces(SAMPLE[0].messages)
    ids, spans = piece.ids, piece.spans
    assert '{"name": ' in rendering.tokenizer.decode(ids[slice(*spans[0])])


def test_a_template_without_a_system_role_is_exact_too(tokenizer: Callable[..., Any]) -> None:
    refuses = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    rendering = choose_rendering(tokenizer(refuses + CHATML), sample_task(), "me/student", SAMPLE)
    assert rendering.form == Form(tools_in_template=False, system_role=False)
    assert_exact(rendering, sample_task(), SAMPLE)


def call(name: str, **arguments: Any) -> Message:
    return Message(role="assistant", tool_calls=(ToolCall(name=name, arguments=arguments, id="call_1"),))


MIXED = Conversation(
    id="mixed",
    source="test",
    messages=(
        Message(role="user", content="A table, please."),
        call("FindRestaurants", city="Albany"),
        Message(role="tool", content='[{"name": "Sol"}]', tool_call_id="call_1"),
        Message(role="assistant", content="I found Sol."),
        Message(role="assistant", content="Shall I book it?"),
        Message(role="user", content="Yes."),
        Message(role="assistant", content=""),
        Message(role="user", content="Hello?"),
    ),
)


@pytest.mark.parametrize("template", [None, "qwen3", "qwen2_5", CHATML])
def test_turns_of_text_results_of_tools_and_turns_in_a_row_are_exact(
    tokenizer: Callable[..., Any], template: str | None
) -> None:
    text = template if template is None or "{" in template else trl(template)
    rendering = choose_rendering(tokenizer(text), sample_task(), "me/student", [MIXED])
    prompts = sent(rendering.tokenizer, sample_task(), rendering.form, MIXED)
    learned = [
        (piece.ids[:start], rendering.tokenizer.decode(piece.ids[start:end]))
        for piece in rendering.pieces(MIXED.messages)
        for start, end in piece.spans
    ]
    assert [prompt for prompt, _ in learned] == prompts
    assert [answer for _, answer in learned[1:]] == [
        "I found Sol.<|im_end|>",
        "Shall I book it?<|im_end|>",
        "<|im_end|>",
    ]


def test_a_conversation_whose_tokens_depend_on_what_follows_takes_several_sequences() -> None:
    """Each of them exact: here the line ends before an answer are one token, unless there is an answer of text."""
    conversations = [MIXED]
    joining = byte_tokenizer(trl("qwen3_training"), merges=[("Ċ", "Ċ")])
    rendering = choose_rendering(joining, sample_task(), "me/student", conversations)
    pieces = rendering.pieces(MIXED.messages)
    assert [(piece.first, len(piece.spans)) for piece in pieces] == [(0, 2), (2, 1), (3, 1)]
    prompts = sent(joining, sample_task(), rendering.form, MIXED)
    assert [piece.ids[:start] for piece in pieces for start, _ in piece.spans] == prompts


MARKS = st.sampled_from(
    ["<|im_end|>", "<|im_start|>assistant\n", "<tool_call>", "</tool_call>", "<tool_response>", "{{ 1 }}", "\n", " "]
)
TEXTS = st.lists(MARKS | st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=4).map("".join)
ODD_TURNS = st.one_of(
    st.builds(Message, role=st.just("user"), content=TEXTS),
    st.builds(Message, role=st.just("assistant"), content=TEXTS),
    st.builds(lambda text: call("respond_to_user", message=text), TEXTS),
)


@pytest.fixture(scope="module")
def qwen3(student: Path) -> TrainingRendering:
    loaded = load_tokenizer(student, "me/student")
    loaded.chat_template = trl("qwen3_training")
    return TrainingRendering(loaded, sample_task(), "me/student")


@settings(max_examples=60, deadline=None)
@given(messages=st.lists(ODD_TURNS, min_size=1, max_size=5))
def test_odd_texts_and_template_marks_in_them_are_exact_too(qwen3: TrainingRendering, messages: list[Message]) -> None:
    """Whatever the texts: each turn follows its own prompt and ends with the one end mark it adds."""
    conversation = Conversation(id="odd", messages=tuple(messages), source="test")
    qwen3.check([conversation])
    turns = qwen3.turns(conversation.messages)
    pieces = qwen3.pieces(conversation.messages)
    assert [turn.prompt for turn in turns] == sent(qwen3.tokenizer, sample_task(), qwen3.form, conversation)
    spans = [(piece.ids, start, end) for piece in pieces for start, end in piece.spans]
    for turn, (ids, start, end) in zip(turns, spans, strict=True):
        assert (ids[:start], ids[start:end]) == (turn.prompt, turn.answer)
        assert turn.answer[-1] in qwen3.end_ids
        text = qwen3.tokenizer.decode(turn.answer)
        assert not text.removesuffix("<|im_end|>").endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")


def test_a_thought_in_an_answer_is_refused_where_prompts_switch_thinking_off(qwen3: TrainingRendering) -> None:
    thought = Message(role="assistant", content="<think>\nAlbany, then.\n</think>\n\nHere.")
    odd = Conversation(id="odd", messages=(Message(role="user", content="Where?"), thought), source="test")
    with pytest.raises(ModelError, match=r"at token \d+, in turn 0 of conversation odd; so it is with 1 of 1 turns"):
        qwen3.check([odd])
    with pytest.raises(ModelError, match=r"instead of .* in turn 0"):
        qwen3.turns(odd.messages)


def test_a_template_that_ends_no_turn_is_refused(tokenizer: Callable[..., Any]) -> None:
    endless = CHATML.replace("<|im_end|>", "")
    with pytest.raises(ModelError, match=r"no special token after an assistant's text.* would not learn to stop"):
        choose_rendering(tokenizer(endless), sample_task(), "me/student", SAMPLE)


def test_a_template_that_changes_turns_later_is_refused_with_both_sides(tokenizer: Callable[..., Any]) -> None:
    """Named are the model, each template tried, the conversation, the turn, and the tokens that differ."""
    numbered = CHATML.replace("{{ message.role }}", "{{ message.role }}{{ messages | length }}")
    words = (
        r"me/student cannot be trained as it would be served. With the template own: .*writes .* instead of .* "
        r"at token \d+, in turn 0 of conversation sample-0000; so it is with \d+ of \d+ turns"
    )
    with pytest.raises(ModelError, match=words):
        choose_rendering(tokenizer(numbered), sample_task(), "me/student", SAMPLE)


def test_several_calls_in_a_turn_are_refused_where_calls_are_text(tokenizer: Callable[..., Any]) -> None:
    """A model whose task has one call per turn is told to write one line; a template that knows calls writes all."""
    calls = tuple(ToolCall(name="FindRestaurants", arguments={"city": city}) for city in ("Albany", "Oakland"))
    turn = Message(role="assistant", tool_calls=calls)
    two = Conversation(id="two", messages=(Message(role="user", content="Hi"), turn), source="test")
    with pytest.raises(ModelError, match="takes calls as text, one per turn; two has several"):
        choose_rendering(tokenizer(CHATML), sample_task(), "me/student", [two])
    rendering = choose_rendering(tokenizer(), sample_task(), "me/student", [two])
    [piece] = rendering.pieces(two.messages)
    ids, ((start, end),) = piece.ids, piece.spans
    assert "Oakland" in rendering.tokenizer.decode(ids[start:end])


THINKS = "prompts for a thought even where thinking is off, which no past turn has"
REFUSED = {
    "deepseek_r1_distill": THINKS,
    "deepseekv3": THINKS,
}
"""Templates of TRL that cannot be trained on with either variant, and why."""
VARIANTS = {"glm4moe", "qwen3", "qwen3_5_nothink", "qwen3_5_think", "qwen3_6"}
"""Templates that change past turns, so that TRL's variant is needed."""
FAMILIES = [name for name in templates() if not name.endswith("_training")]


def byte_tokenizer(template: str, merges: Sequence[tuple[str, str]] = ()) -> Any:
    """A tokenizer of single bytes that knows the special tokens of every family, and those of the template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    letters = [*alphabet, *map("".join, merges)]
    vocab = {letter: number for number, letter in enumerate(letters)}
    bare = Tokenizer(models.BPE(vocab=vocab, merges=list(merges)))
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    found = re.findall(r"<[|｜][^<>\s'\"]{1,40}[|｜]>|<turn\|>|<(?:start|end)_of_(?:turn|utterance)>", template)
    special = sorted({*SPECIAL.read_text().split(), *found})
    return PreTrainedTokenizerFast(
        tokenizer_object=bare,
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=special,
        chat_template=template,
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_is_exact_with_its_own_template_or_trls_variant_or_refused(name: str) -> None:
    task, conversations = sample_task(), sample_conversations(2)
    tokenizer = byte_tokenizer(trl(name))
    if name in REFUSED:
        with pytest.raises(ModelError, match=f"{name} cannot be trained as it would be served"):
            choose_rendering(tokenizer, task, name, conversations)
        return
    rendering = choose_rendering(tokenizer, task, name, conversations)
    assert rendering.source == (f"trl:{name}_training.jinja" if name in VARIANTS else "own")
    assert assert_exact(rendering, task, conversations) == sum(
        message.role == "assistant" for one in conversations for message in one.messages
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # TRL's own imports
def test_the_variants_are_those_that_trl_names_itself() -> None:
    from trl.chat_template_utils import get_training_chat_template

    asked = 0
    for name in FAMILIES:
        try:
            theirs = get_training_chat_template(byte_tokenizer(trl(name)))
        except Exception:  # TRL has no variant, or its probes do not suit the template
            continue
        if theirs is not None:
            ours = training_variant(trl(name))
            assert ours is not None
            assert ours.read_text("utf-8") == theirs
            asked += 1
    assert asked > 20 or not FAMILIES
