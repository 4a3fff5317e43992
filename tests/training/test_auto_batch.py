"""batch_size=auto: the same training in as many forward passes as memory asks for."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.errors import TrainingError, UsageError
from harness.training import auto_batch
from harness.training.auto_batch import AutoBatchTrainer, divide
from harness.training.checkpoints import identify
from harness.training.config import TrainConfig
from harness.training.examples import TrainingExamples
from harness.training.log import LogEntry, describe_batches
from harness.training.loop import Trained, train
from harness.training.memory import doubling, fitting, peak_of

CONFIG = TrainConfig(
    lora_rank=4, lora_alpha=4, epochs=2, learning_rate=1e-2, batch_size="auto", accumulation=5, equal_turns=True
)
WHOLE = CONFIG.model_copy(update={"batch_size": 5, "accumulation": 1})


def run(base: Path, examples: TrainingExamples, folder: Path, config: TrainConfig, *, resume: bool = False) -> Trained:
    return train(base, examples, config, folder, pad_token_id=0, resume=resume)


@pytest.fixture(scope="module")
def expected(small_base: Path, small_examples: TrainingExamples, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """What batches of all examples of a step lead to."""
    return run(small_base, small_examples, tmp_path_factory.mktemp("whole"), WHOLE)


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let memory run out where a pass has more than so many examples, and take so many to begin with."""

    def room(*, begin: int, holds: int) -> None:
        compute = auto_batch.Trainer.training_step

        def limited(self: Any, model: Any, inputs: dict[str, Any], items: Any = None) -> torch.Tensor:
            loss = compute(self, model, inputs, items)  # what it adds to the gradients has to be undone
            if inputs["rows"].shape[0] > holds if "rows" in inputs else inputs["input_ids"].shape[0] > holds:
                raise torch.OutOfMemoryError("no more")
            return loss

        monkeypatch.setattr(auto_batch.Trainer, "training_step", limited)
        monkeypatch.setattr(AutoBatchTrainer, "_find_size", lambda _: begin)

    return room


def check(found: Trained, expected: Trained) -> None:
    assert [entry.loss for entry in found.log] == pytest.approx([entry.loss for entry in expected.log], rel=1e-4)
    assert [entry.grad_norm for entry in found.log] == pytest.approx(
        [entry.grad_norm for entry in expected.log], rel=1e-3
    )
    assert (found.steps, found.tokens) == (expected.steps, expected.tokens)
    assert found.computed == sum(entry.computed or 0 for entry in found.log)


@pytest.mark.parametrize("sharing", ["auto", "off"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_training_is_the_same_in_parts_of_any_size(
    small_base: Path,
    small_examples: TrainingExamples,
    tmp_path: Path,
    expected: Trained,
    room: Any,
    size: int,
    sharing: str,
) -> None:
    room(begin=size, holds=size)
    config = CONFIG.model_copy(update={"shared_prefix": sharing})
    found = run(small_base, small_examples, tmp_path, config)
    check(found, expected)
    assert found.batches == f"at most {size}, chosen to fit the memory"
    assert expected.batches is None


def test_step_in_which_memory_runs_out_begins_again_with_half(
    small_base: Path,
    small_examples: TrainingExamples,
    tmp_path: Path,
    expected: Trained,
    room: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also in the step after a resume with another size, which is no part of what the run is."""
    room(begin=5, holds=2)
    found = run(small_base, small_examples, tmp_path, CONFIG)
    check(found, expected)
    assert found.batches == "at most 2, chosen to fit the memory"
    assert "memory ran out at step 1 with 5 conversations per forward pass" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "checkpoints" / "checkpoint-4")
    room(begin=1, holds=1)
    again = run(small_base, small_examples, tmp_path, CONFIG, resume=True)
    check(again, expected)
    assert again.batches == "at most 2, chosen to fit the memory, 1 from step 3 on"
    assert run(small_base, small_examples, tmp_path, WHOLE, resume=True).log == again.log


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ([None, None], None),
        ([None, 4, 4, 2], "as set, 4 from step 2 on, 2 from step 4 on"),
        ([4, None], "at most 4, chosen to fit the memory, as set from step 2 on"),
    ],
)
def test_run_that_goes_on_with_another_kind_of_size_says_so(sizes: list[int | None], said: str | None) -> None:
    """Both kinds are the same training."""
    entry = LogEntry(
        step=0, epoch=1, loss=1.0, learning_rate=1e-3, tokens_per_second=1.0, memory_bytes=1, grad_norm=None
    )
    log = [replace(entry, step=step, batch_size=size) for step, size in enumerate(sizes, start=1)]
    assert describe_batches(log) == said


def test_single_example_that_does_not_fit_is_the_end(
    small_base: Path, small_examples: TrainingExamples, tmp_path: Path, room: Any
) -> None:
    room(begin=4, holds=0)
    with pytest.raises(TrainingError, match="memory ran out while training; try gradient checkpointing"):
        run(small_base, small_examples, tmp_path, CONFIG)


def test_size_on_a_processor_comes_from_what_is_free(
    small_base: Path,
    small_examples: TrainingExamples,
    tmp_path: Path,
    expected: Trained,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Plenty of memory holds all, none holds one; trying leaves no gradient and no draw of dropout behind."""
    everything = run(small_base, small_examples, tmp_path / "plenty", CONFIG)
    check(everything, expected)
    assert everything.batches == "at most 5, chosen to fit the memory"
    assert "conversations per forward pass: at most 5 of the 5 of a step" in capsys.readouterr().err
    monkeypatch.setattr(auto_batch, "available_memory", lambda: 0)
    assert run(small_base, small_examples, tmp_path / "none", CONFIG).batches == "at most 1, chosen to fit the memory"
    dropout = [
        config.model_copy(update={"lora_dropout": 0.2, "shared_prefix": "off", "epochs": 1, "accumulation": 1})
        for config in (CONFIG, WHOLE.model_copy(update={"batch_size": 1}))
    ]
    alone = [run(small_base, small_examples, tmp_path / f"drop-{n}", config) for n, config in enumerate(dropout)]
    assert [entry.loss for entry in alone[0].log] == [entry.loss for entry in alone[1].log]


def test_parts_are_even_and_of_like_lengths(small_examples: TrainingExamples) -> None:
    parts = divide(small_examples.items, 3)
    assert sorted(map(len, parts)) == [2, 2, 3]
    ordered = [len(example.input_ids) for part in parts for example in part]
    assert ordered == sorted((len(example.input_ids) for example in small_examples.items), reverse=True)
    assert [len(part) for part in divide(small_examples.items, 7)] == [7]


def test_what_is_taken_never_needs_more_than_is_free() -> None:
    """Neither where the first pass took memory that stays, nor where the second one took what was held already."""
    assert doubling(1) == [1]
    assert doubling(6) == [1, 2, 4, 6]
    for one, two in ((100, 200), (150, 200), (20, 200), (200, 200)):
        each = max(two - one, two / 2)
        sizes = [fitting(16, free=free, one=one, two=two) for free in range(0, 5000, 50)]
        assert sizes == sorted(sizes)
        assert {1, 2, 4, 8, 16} == set(sizes)
        assert all(size == 1 or size * each <= free for size, free in zip(sizes, range(0, 5000, 50), strict=True))


def test_peak_is_that_of_the_work_alone() -> None:
    """What was given back before does not count."""
    large: Sequence[int] | None = [0] * 30_000_000
    large = None
    found = peak_of(lambda: bytearray(100_000_000))
    assert large is None
    if found is None:
        pytest.skip("this system does not say what a process holds")
    before, peak = found
    assert 80_000_000 < peak - before < 140_000_000


def test_size_is_no_part_of_what_a_training_is(small_base: Path, small_examples: TrainingExamples) -> None:
    assert CONFIG.deciding() == WHOLE.deciding()
    assert identify(small_base, small_examples, CONFIG, 1) == identify(small_base, small_examples, WHOLE, 1)
    published = TrainConfig()
    assert published.deciding()["batch_size"] == published.deciding()["accumulation"] == 1


@pytest.mark.parametrize("size", [0, -2, "much", 1.5, True, "auto8"])
def test_other_sizes_are_refused(size: Any) -> None:
    from harness.curation.stage_settings import resolve

    with pytest.raises(
        UsageError, match=r"setting batch_size cannot be used .* neither a whole number from 1 on nor auto"
    ):
        resolve(TrainConfig, {"batch_size": size})
    assert resolve(TrainConfig, {"batch_size": "8"}).batch_size == 8
