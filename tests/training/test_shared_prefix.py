"""What the examples of a batch begin with is computed once: the same gradients, the same training, fewer tokens."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from harness.training import shared_prefix, varlen_attention
from harness.training.batches import Collator, keeps_columns, shared_length, weighted_loss
from harness.training.config import TrainConfig
from harness.training.examples import Example, TrainingExamples
from harness.training.loop import SHARED, Trained, train
from harness.training.prefix_attention import Layout, PrefixAttention
from harness.training.recompute import keep_products
from harness.training.shared_prefix import share_prefix
from harness.training.varlen_attention import masked

PREFIX = 24
SIZES = {
    "vocab_size": 199,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
"""Of networks of some 20,000 weights."""
LOCAL = {"sliding_window": 13, "layer_types": ["sliding_attention", "full_attention"]}


def made(kind: str, **changes: Any) -> Any:
    """Return a model of an architecture of transformers with random weights; a change of None takes a size away."""
    config = getattr(transformers, f"{kind}TextConfig", None) or getattr(transformers, f"{kind}Config")
    settings = {name: value for name, value in {**SIZES, **changes}.items() if value is not None}
    torch.manual_seed(0)
    return getattr(transformers, f"{kind}ForCausalLM")(config(**settings))


def made_examples(number: int) -> tuple[Example, ...]:
    """Return examples of different lengths that begin with the same tokens, the first ones to learn soon after."""
    draw = random.Random(1)
    prefix = [draw.randrange(199) for _ in range(PREFIX)]
    items = []
    for place in range(number):
        rest = [place, *(draw.randrange(199) for _ in range(draw.randint(4, 30)))]
        ids = (*prefix, *rest)
        turns = ((PREFIX + 1 + place % 3, PREFIX + 4), (len(ids) - 1, len(ids)))
        items.append(Example(input_ids=ids, turns=turns, source=f"c{place}"))
    return tuple(items)


EXAMPLES = made_examples(5)


def gradients(model: Any, batches: Sequence[Sequence[Example]], collator: Collator) -> dict[str, torch.Tensor]:
    """Return the gradient of each weight, of an optimizer step over these batches."""
    model.zero_grad()
    laid_out = [collator(batch) for batch in batches]
    items = sum(batch["items"] for batch in laid_out)
    for batch in laid_out:
        weighted_loss(model, batch, items=items, keep=keeps_columns(model)).backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


def largest_error(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    assert found.keys() == expected.keys()
    return max(float((found[name] - expected[name]).norm() / expected[name].norm()) for name in expected)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("Llama", {}),
        ("Qwen3", {}),
        ("Qwen3", {**LOCAL, "use_sliding_window": True}),
        ("Gemma", {}),
        ("Gemma3", LOCAL),
        ("Mistral", {"sliding_window": 30}),
        ("SmolLM3", {}),
    ],
)
def test_gradients_are_those_of_separate_examples(kind: str, changes: dict[str, Any]) -> None:
    """Of every weight; the windows end within what is shared, or within the rest. Also when nothing is shared."""
    model = made(kind, **changes)
    apart = gradients(model, [[example] for example in EXAMPLES], Collator(pad_token_id=0, equal_turns=True))
    assert share_prefix(model, EXAMPLES, 0) is None
    shared = Collator(pad_token_id=0, equal_turns=True, shared=True)
    assert largest_error(gradients(model, [EXAMPLES], shared), apart) < 1e-5
    assert largest_error(gradients(model, [EXAMPLES[:3], EXAMPLES[3:4], EXAMPLES[4:]], shared), apart) < 1e-5
    model.train()
    model.gradient_checkpointing_enable({"use_reentrant": False})
    assert largest_error(gradients(model, [EXAMPLES], shared), apart) < 1e-5
    others = [replace(EXAMPLES[0], input_ids=EXAMPLES[0].input_ids[number:]) for number in (0, 5)]
    assert shared_length(others) == 0
    assert shared(others)["computed"] == sum(len(other.input_ids) for other in others)


@pytest.mark.parametrize(
    ("kind", "changes"), [("Llama", {}), ("Qwen3", {**LOCAL, "use_sliding_window": True}), ("Gemma3", LOCAL)]
)
def test_gradients_by_sequences_are_those_of_separate_examples(
    kind: str, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on CUDA, with a stand-in for its kernel. Of every weight, also with gradient checkpointing."""
    used = []

    def kernel(*states: Any, **settings: Any) -> torch.Tensor:
        used.append(settings)
        return masked(*states, **settings)

    monkeypatch.setattr(shared_prefix, "_needs_no_mask", lambda *_: False)
    monkeypatch.setattr(shared_prefix, "find_kernel", lambda *_: kernel)
    model = made(kind, **changes)
    apart = gradients(model, [[example] for example in EXAMPLES], Collator(pad_token_id=0))
    assert share_prefix(model, EXAMPLES, 0) is None
    shared = Collator(pad_token_id=0, shared=True)
    assert largest_error(gradients(model, [EXAMPLES], shared), apart) < 1e-5
    model.train()
    model.gradient_checkpointing_enable({"use_reentrant": False})
    assert largest_error(gradients(model, [EXAMPLES[:3], EXAMPLES[3:]], shared), apart) < 1e-5
    assert used


@pytest.mark.parametrize("ways", [{}, {"context_fn": keep_products(0)}], ids=["all", "selective"])
def test_kernel_is_tried_within_a_layer_that_is_computed_again(
    ways: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on CUDA, where training is the first to ask for the kernel. What trying saves is none of the layer's."""
    varlen_attention._tried.cache_clear()
    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", masked)
    monkeypatch.setattr(shared_prefix, "_needs_no_mask", lambda *_: False)
    model = made("Llama")
    apart = gradients(model, [[example] for example in EXAMPLES], Collator(pad_token_id=0))
    assert share_prefix(model, EXAMPLES, 0) is None
    monkeypatch.setattr(
        shared_prefix, "find_kernel", lambda query, *_: varlen_attention._tried(query.device, query.dtype, 16)
    )
    model.train()
    model.gradient_checkpointing_enable({"use_reentrant": False, **ways})
    assert largest_error(gradients(model, [EXAMPLES], Collator(pad_token_id=0, shared=True)), apart) < 1e-5
    assert varlen_attention._tried(torch.device("cpu"), torch.float32, 16) is masked
    varlen_attention._tried.cache_clear()


def test_weights_in_float32_share_a_prefix_in_bfloat16() -> None:
    """As in full training: there queries and keys are rotated in float32, and values are not."""
    model = made("Llama")

    def found(batches: Sequence[Sequence[Example]], collator: Collator) -> dict[str, torch.Tensor]:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return gradients(model, batches, collator)

    apart = found([[example] for example in EXAMPLES], Collator(pad_token_id=0))
    assert share_prefix(model, EXAMPLES, 0) is None
    assert largest_error(found([EXAMPLES], Collator(pad_token_id=0, shared=True)), apart) < 0.05


def test_adapters_have_the_gradients_of_separate_examples() -> None:
    from peft import LoraConfig, get_peft_model

    found = []
    for shared in (False, True):
        model = made("Llama")
        assert not shared or share_prefix(model, EXAMPLES, 0) is None
        lora = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear", init_lora_weights=False)
        torch.manual_seed(1)
        adapted = get_peft_model(model, lora)
        found.append(gradients(adapted, [EXAMPLES], Collator(pad_token_id=0, shared=shared)))
    assert largest_error(found[1], found[0]) < 1e-5


def test_shared_part_ends_before_anything_is_learned() -> None:
    """The token that predicts the first learned one is not in it, and neither is the last of any example."""
    ids, turns = EXAMPLES[0].input_ids, EXAMPLES[0].turns
    assert shared_length(EXAMPLES) == PREFIX
    assert shared_length([EXAMPLES[0], EXAMPLES[0]]) == turns[0][0] - 1
    early = replace(EXAMPLES[1], turns=((7, 9), *EXAMPLES[1].turns))
    assert shared_length([EXAMPLES[0], early]) == 6
    assert shared_length([EXAMPLES[0], replace(EXAMPLES[0], input_ids=ids[:3], turns=())]) == 2
    assert shared_length([EXAMPLES[0], replace(EXAMPLES[0], turns=((0, 2),))]) == 0
    assert shared_length(EXAMPLES[:1]) == 0


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        ("Lfm2", {"layer_types": ["conv", "full_attention"]}, "layers of another kind (conv)"),
        ("Mamba", {}, "layers of another kind (linear_attention)"),
        ("Bloom", {"n_head": 2}, "attention is eager, not sdpa"),
        ("Falcon", {"head_dim": None}, "only 0 of the model's 2 layers"),
        ("Llama", {"attention_dropout": 0.1}, "dropout of its own"),
    ],
)
def test_model_that_cannot_share_is_left_as_it_was(kind: str, changes: dict[str, Any], reason: str) -> None:
    model = made(kind, **changes).eval()
    before = model(torch.tensor([EXAMPLES[0].input_ids])).logits
    assert reason in str(share_prefix(model, EXAMPLES, 0))
    assert model(torch.tensor([EXAMPLES[0].input_ids])).logits.equal(before)


class IgnoresPositions(transformers.Qwen3ForCausalLM):  # type: ignore[misc]  # untyped
    """Its layers see the positions of the row."""

    def forward(self, *, position_ids: Any = None, **inputs: Any) -> Any:
        return super().forward(**inputs)


def test_model_that_computes_something_else_is_found() -> None:
    """By its logits, whatever the reason."""
    torch.manual_seed(0)
    model = IgnoresPositions(transformers.Qwen3Config(**SIZES))
    assert "logits would differ by" in str(share_prefix(model, EXAMPLES, 0))
    assert model.config._attn_implementation == "sdpa"


CONFIG = TrainConfig(
    lora_rank=4, lora_alpha=4, epochs=2, learning_rate=1e-2, batch_size=3, precision="float32", save_every=1
)


def trained(base: Path, folder: Path, *, resume: bool = False, **changes: Any) -> Trained:
    config = CONFIG.model_copy(update=changes)
    examples = TrainingExamples(items=EXAMPLES, skipped={})
    return train(base, examples, config, folder, pad_token_id=0, resume=resume)


def adapter(run: Trained) -> bytes:
    return (run.folder / "adapter_model.safetensors").read_bytes()


def test_training_is_the_same_and_resumes_to_the_same_bytes(small_base: Path, tmp_path: Path) -> None:
    """The loss curve within rounding; the log, the checkpoints and the result say what was computed."""
    shared = trained(small_base, tmp_path / "shared")
    plain = trained(small_base, tmp_path / "plain", shared_prefix="off")
    assert [entry.loss for entry in shared.log] == pytest.approx([entry.loss for entry in plain.log], rel=1e-4)
    lengths = sum(len(example.input_ids) for example in EXAMPLES)
    assert shared.tokens == plain.tokens == 2 * lengths == sum(entry.tokens or 0 for entry in shared.log)
    assert shared.computed == sum(entry.computed or 0 for entry in shared.log) == 2 * (lengths - 3 * PREFIX)
    assert (shared.sharing, plain.sharing) == (SHARED, None)
    assert plain.computed
    assert plain.computed > plain.tokens  # padding
    weights = adapter(shared)
    shutil.rmtree(tmp_path / "shared" / "checkpoints" / "checkpoint-4")
    again = trained(small_base, tmp_path / "shared", resume=True)
    assert (adapter(again), again.computed, again.sharing) == (weights, shared.computed, SHARED)


def test_why_a_model_does_not_share_is_said_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made("Llama", attention_dropout=0.1).save_pretrained(tmp_path / "base")
    run = trained(tmp_path / "base", tmp_path / "run", epochs=1)
    assert "computed for each one: the model has dropout of its own" in str(run.sharing)
    assert str(run.sharing) in " ".join(capsys.readouterr().err.split())


def test_only_what_changes_the_result_is_part_of_what_a_training_is() -> None:
    """By rounding only, a result is reused, and trainings of earlier versions still are; with dropout it is another."""
    settings = [
        TrainConfig(batch_size=size, lora_dropout=dropout, shared_prefix=way).deciding()
        for size in (1, 4)
        for dropout in (0.0, 0.1)
        for way in ("auto", "off")
    ]
    assert [found.get("shared_prefix") for found in settings] == [None] * 6 + ["auto", None]


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-5), (torch.bfloat16, 0.02)])
@pytest.mark.parametrize("shared", [0, 1, 37])
def test_attention_in_two_parts_is_that_of_each_example(dtype: torch.dtype, error: float, shared: int) -> None:
    """With fewer heads of keys than of queries; forward, and backward for what is shared and what is not."""
    torch.manual_seed(0)
    rests = [1, 40, 3, 19]
    layout = Layout(shared=shared, rests=rests, scale=0.3)
    states = [torch.randn(1, heads, shared + sum(rests), 16).requires_grad_() for heads in (6, 2, 2)]
    seen = torch.randn(1, 6, shared + sum(rests), 16)

    def apart() -> torch.Tensor:
        found = []
        for number, rest in enumerate(rests):
            start = shared + sum(rests[:number])
            places = [*range(shared), *range(start, start + rest)]
            rows = [one[:, :, places] for one in states]
            whole = torch.nn.functional.scaled_dot_product_attention(*rows, is_causal=True, enable_gqa=True, scale=0.3)
            found += [whole[:, :, :shared]] * (not number) + [whole[:, :, shared:]]
        return torch.cat(found, dim=2)

    def together() -> torch.Tensor:
        return PrefixAttention.apply(*(one.to(dtype) for one in states), layout).float()

    (expected, *of_expected), (found, *of_found) = (
        (made, *torch.autograd.grad((made * seen).sum(), states)) for made in (apart(), together())
    )
    for one, other in zip([found, *of_found], [expected, *of_expected], strict=True):
        assert (one - other).norm().item() < error * other.norm().item()
