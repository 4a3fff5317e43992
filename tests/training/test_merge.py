"""Merging: the written model answers like base and adapter, and a merge that does not is refused."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from harness.errors import ModelError
from harness.training.merge import merge

PROBES = [[random.Random(number).randrange(199) for _ in range(50)] for number in range(3)]


def written_difference(base: Path, adapter: Path, out: Path) -> float:
    """The largest difference of a logit between base and adapter and the files in `out`, computed in float32."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    def load(folder: Path) -> Any:
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)

    models = (PeftModel.from_pretrained(load(base), adapter).eval(), load(out).eval())
    with torch.inference_mode():
        logits = [[model(input_ids=torch.tensor([probe])).logits for probe in PROBES] for model in models]
    return max(float((one - other).abs().max()) for one, other in zip(*logits, strict=True))


@pytest.fixture(scope="module")
def adapter(small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter with random weights in both matrices, as after training."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("adapter")
    model = AutoModelForCausalLM.from_pretrained(small_base, dtype=torch.float32)
    settings = LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=8, target_modules="all-linear")
    adapted = get_peft_model(model, settings)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_" in name:
                weight.normal_(0, 0.1)
    adapted.save_pretrained(folder)
    return folder


def test_merged_weights_answer_like_base_and_adapter(small_base: Path, adapter: Path, tmp_path: Path) -> None:
    difference = merge(small_base, adapter, tmp_path / "merged", probes=PROBES, tolerance=1e-4)
    written = written_difference(small_base, adapter, tmp_path / "merged")
    assert 0 <= difference <= 1e-4
    assert written <= 1e-4
    assert written_difference(small_base, adapter, small_base) > 0.1  # the adapter does something
    assert {path.name for path in (tmp_path / "merged").iterdir()} == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
    }


def test_merged_weights_have_the_type_of_the_base(small_base: Path, adapter: Path, tmp_path: Path) -> None:
    """Merged in float32, rounded once: the loss by rounding is stated and is more than that of merging."""
    from transformers import AutoModelForCausalLM

    base = tmp_path / "base"
    AutoModelForCausalLM.from_pretrained(small_base, dtype=torch.bfloat16).save_pretrained(base)
    difference = merge(base, adapter, tmp_path / "merged", probes=PROBES, tolerance=1e-4)
    with safe_open(tmp_path / "merged" / "model.safetensors", "pt") as weights:
        assert {weights.get_tensor(name).dtype for name in weights.keys()} == {torch.bfloat16}  # noqa: SIM118
    written = written_difference(base, adapter, tmp_path / "merged")
    assert difference < written < 0.2


@pytest.mark.parametrize("value", [1e8, float("nan")])
def test_merge_that_changes_the_answers_is_refused(
    small_base: Path, adapter: Path, tmp_path: Path, value: float
) -> None:
    """An adapter with weights that float32 cannot add up exactly, or that are no numbers, is not written."""
    spoilt = tmp_path / "adapter"
    spoilt.mkdir()
    (spoilt / "adapter_config.json").write_bytes((adapter / "adapter_config.json").read_bytes())
    weights = load_file(adapter / "adapter_model.safetensors")
    first = next(name for name in weights if name.endswith("q_proj.lora_B.weight"))
    weights[first] = weights[first] * value
    save_file(weights, spoilt / "adapter_model.safetensors")
    with pytest.raises(ModelError, match=r"differ by up to .* more than 1e-12"):
        merge(small_base, spoilt, tmp_path / "merged", probes=PROBES, tolerance=1e-12)
    assert not (tmp_path / "merged").exists()


def test_merge_without_probes_is_refused(small_base: Path, adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="give at least one probe"):
        merge(small_base, adapter, tmp_path / "merged", probes=[], tolerance=1e-4)
    assert not (tmp_path / "merged").exists()
