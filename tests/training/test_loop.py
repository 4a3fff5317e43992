"""Training: what it writes, that it learns and repeats itself, what it refuses, and several processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError, ModelError, TrainingError, UsageError
from harness.training.config import TrainConfig
from harness.training.examples import TrainingExamples
from harness.training.loop import Trained, train

QUICK = TrainConfig(lora_rank=4, lora_alpha=4, epochs=2, learning_rate=1e-2, batch_size=2, equal_turns=True)


@pytest.fixture
def run(small_base: Path, small_examples: TrainingExamples, tmp_path: Path) -> Callable[..., Trained]:
    """Train the small student with these settings changed, into a folder of the test."""

    def run(folder: str = "run", *, resume: bool = False, **changes: Any) -> Trained:
        config = TrainConfig(**{**QUICK.model_dump(), **changes})
        return train(small_base, small_examples, config, tmp_path / folder, pad_token_id=0, resume=resume)

    return run


def weights(trained: Trained) -> bytes:
    [path] = trained.folder.glob("*.safetensors")
    return path.read_bytes()


@pytest.fixture(scope="module")
def trained(small_base: Path, small_examples: TrainingExamples, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(small_base, small_examples, QUICK, tmp_path_factory.mktemp("run"), pad_token_id=0, resume=False)


def test_run_leaves_adapter_log_and_the_last_two_checkpoints(
    trained: Trained, small_examples: TrainingExamples
) -> None:
    folder = trained.folder.parent
    assert sorted(path.name for path in trained.folder.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [entry.step for entry in trained.log] == list(range(1, 9))
    assert [line["epoch"] for line in lines][3::4] == [1.0, 2.0]
    assert all(line["tokens_per_second"] > 0 and line["memory_bytes"] > 10**7 and line["grad_norm"] for line in lines)
    assert trained.log[1].learning_rate == QUICK.learning_rate  # 5 % of 8 steps: one step of warm-up
    assert trained.log[-1].learning_rate == pytest.approx(QUICK.learning_rate / 7)
    assert trained.log[-1].loss < trained.log[0].loss
    assert trained.steps == 8
    assert trained.tokens == 2 * sum(len(example.input_ids) for example in small_examples.items)
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"run.json", "checkpoint-4", "checkpoint-8"}


def test_adapters_are_on_all_linear_layers_but_the_output(trained: Trained) -> None:
    from safetensors import safe_open

    with safe_open(trained.folder / "adapter_model.safetensors", "pt") as adapter:
        names = {name.split(".")[-3] for name in adapter.keys()}  # noqa: SIM118
    attention, feed_forward = {"q_proj", "k_proj", "v_proj", "o_proj"}, {"gate_proj", "up_proj", "down_proj"}
    assert names == attention | feed_forward


def test_two_runs_with_one_seed_have_identical_weights(trained: Trained, run: Callable[..., Trained]) -> None:
    again = run()
    assert weights(again) == weights(trained)
    assert [entry.loss for entry in again.log] == [entry.loss for entry in trained.log]
    assert weights(run("other", seed=1)) != weights(trained)


def test_all_weights_can_be_trained(run: Callable[..., Trained], small_base: Path) -> None:
    """Every matrix moves; gradient checkpointing, packing and bfloat16 work on the CPU too."""
    from safetensors.torch import load_file

    done = run(method="full", gradient_checkpointing=True, packing=True, precision="bfloat16", learning_rate=1e-3)
    before, after = (load_file(folder / "model.safetensors") for folder in (small_base, done.folder))
    assert before.keys() == after.keys()
    assert not [name for name in before if before[name].equal(after[name])]
    assert {str(weight.dtype) for weight in after.values()} == {"torch.float32"}


def test_finished_run_is_resumed_to_the_same_result(run: Callable[..., Trained]) -> None:
    """Nothing is trained again, and half an epoch is half of its steps."""
    done = run(epochs=0.5)
    again = run(epochs=0.5, resume=True)
    assert done.steps == 2
    assert (weights(again), again.log, again.tokens) == (weights(done), done.log, done.tokens)


def test_folder_with_a_run_is_not_overwritten(run: Callable[..., Trained], tmp_path: Path) -> None:
    """Neither this run without being asked to resume, nor another run, whose difference is named."""
    kept = weights(run(epochs=0.5))
    with pytest.raises(UsageError, match="already holds this run up to step 2; resume to continue it"):
        run(epochs=0.5)
    for resume in (True, False):
        with pytest.raises(UsageError, match=r"another run \(learning_rate was 0\.01, now 0\.02\)"):
            run(epochs=0.5, learning_rate=0.02, resume=resume)
    (tmp_path / "run" / "checkpoints" / "run.json").unlink()
    with pytest.raises(UsageError, match=r"no run\.json that says whose"):
        run(epochs=0.5, resume=True)
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").read_bytes() == kept


def test_other_data_is_another_run(
    run: Callable[..., Trained], small_base: Path, small_examples: TrainingExamples
) -> None:
    folder = run(epochs=0.5).folder.parent
    fewer = TrainingExamples(items=small_examples.items[:-1], skipped={})
    config = QUICK.model_copy(update={"epochs": 0.5})
    with pytest.raises(UsageError, match=r'another run \(data was "'):
        train(small_base, fewer, config, folder, pad_token_id=0, resume=True)


def test_loss_that_is_not_a_number_stops_with_step_and_checkpoint(run: Callable[..., Trained]) -> None:
    """Nothing of the spoilt weights is saved."""
    with pytest.raises(
        TrainingError, match=r"stopped at step \d+: the .* is (nan|inf).*last good checkpoint is .*-1\."
    ) as e:
        run(method="full", learning_rate=1e30, max_grad_norm=1e30, warmup=0.2, save_every=1)
    assert "Lower the learning rate" in str(e.value)


def test_nothing_to_train_on_is_refused(small_base: Path, tmp_path: Path) -> None:
    nothing = TrainingExamples(items=(), skipped={"conversations without a call": 3})
    with pytest.raises(DataError, match=r"no example was made \(conversations without a call: 3\)"):
        train(small_base, nothing, QUICK, tmp_path, pad_token_id=0, resume=False)


def test_base_without_safetensors_is_refused(small_examples: TrainingExamples, tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(ModelError, match="no safetensors file"):
        train(tmp_path, small_examples, QUICK, tmp_path / "run", pad_token_id=0, resume=False)
