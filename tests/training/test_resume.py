"""kill -9 while training: whatever is left, the resumed run ends with the weights of an undisturbed one."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.training.checkpoints import Checkpoints
from harness.training.config import TrainConfig
from harness.training.examples import TrainingExamples
from harness.training.log import LogEntry, TrainingLog
from harness.training.loop import train

CONFIG = TrainConfig(
    lora_rank=4,
    lora_dropout=0.1,  # so that the random state matters
    epochs=6,
    learning_rate=1e-2,
    accumulation=2,
    save_every=3,
)


@pytest.fixture(scope="module")
def start(small_base: Path, small_examples: TrainingExamples) -> Callable[[Path], Any]:
    """Start a training in a process of its own; it is forked from one that has imported what takes seconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["harness.training.trainer"])

    def start(folder: Path) -> Any:
        arguments = (small_base, small_examples, CONFIG, folder)
        process = context.Process(target=train, args=arguments, kwargs={"pad_token_id": 0, "resume": True})
        process.start()
        return process

    return start


def finish(process: Any) -> None:
    process.join()
    assert process.exitcode == 0


def kill_at(process: Any, folder: Path, step: int, delay: float) -> int:
    """Kill some moments after this step is in the log, and return the step reached."""
    log = folder / "log.jsonl"
    while process.is_alive() and (not log.is_file() or log.read_bytes().count(b"\n") < step):
        time.sleep(0.001)
    time.sleep(delay)
    process.kill()
    process.join()
    return log.read_bytes().count(b"\n")


@pytest.mark.parametrize(
    "steps",
    [pytest.param((4, 13), marks=pytest.mark.slow), pytest.param((1, 4, 9, 13, 20), marks=pytest.mark.kill)],
    ids=["twice", "five times"],
)
def test_killed_it_ends_with_the_same_weights(
    steps: tuple[int, ...], start: Callable[[Path], Any], tmp_path: Path
) -> None:
    """24 steps, a checkpoint every third and at the ends of epochs; after each kill a new process goes on."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish(start(whole))
    draw = random.Random(5)
    for step in steps:
        reached = kill_at(start(killed), killed, step, draw.uniform(0, 0.04))
        assert step <= reached < 24, "killed too late to test anything"
    finish(start(killed))
    expected, resumed = (folder / "adapter" / "adapter_model.safetensors" for folder in (whole, killed))
    assert resumed.read_bytes() == expected.read_bytes()
    logs = [TrainingLog(folder / "log.jsonl").read() for folder in (whole, killed)]
    assert [replace(entry, tokens_per_second=0, memory_bytes=0) for entry in logs[1]] == [
        replace(entry, tokens_per_second=0, memory_bytes=0) for entry in logs[0]
    ]
    lasts = [Checkpoints(folder / "checkpoints").last() for folder in (whole, killed)]
    assert [(last.step, last.tokens) for last in lasts if last] == [(24, lasts[0].tokens)] * 2


def checkpoint(checkpoints: Checkpoints, step: int) -> Path:
    path = checkpoints.path(step)
    path.mkdir(parents=True)
    (path / "weights").write_bytes(b"0123456789")
    checkpoints.finish(step=step, tokens=step, seconds=1.0)
    return path


def test_checkpoint_that_a_kill_cut_short_does_not_count(tmp_path: Path) -> None:
    """Without its mark, with a file missing, or with half a file: the one before is gone on from."""
    for spoil in (
        lambda path: (path / "whole.json").unlink(),
        lambda path: (path / "weights").unlink(),
        lambda path: (path / "weights").write_bytes(b"01234"),
    ):
        checkpoints = Checkpoints(tmp_path / "checkpoints")
        checkpoints.begin({"seed": 0}, resume=False)
        checkpoint(checkpoints, 9)
        spoil(checkpoint(checkpoints, 10))
        last = checkpoints.begin({"seed": 0}, resume=True)
        assert last
        assert last.step == 9
        assert not checkpoints.path(10).exists()
        shutil.rmtree(tmp_path / "checkpoints")


def test_last_two_checkpoints_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for step in (2, 30, 100):
        checkpoint(checkpoints, step)
    assert [found.step for found in checkpoints.whole()] == [30, 100]
    assert not checkpoints.path(2).exists()


def test_log_is_cut_back_to_the_checkpoint(tmp_path: Path) -> None:
    """Half a line at the end, as a kill leaves it, is dropped; steps that are made again are not there twice."""
    journal = TrainingLog(tmp_path / "log.jsonl")
    entry = {"epoch": 0.5, "loss": 1.0, "learning_rate": 0.1, "tokens_per_second": 9.0, "memory_bytes": 1}
    for step in (1, 2, 3):
        journal.append(LogEntry(step=step, grad_norm=None, **entry))
    with journal.path.open("a") as stream:
        stream.write('{"step": 4, "ep')
    journal.keep_until(2)
    journal.append(LogEntry(step=3, grad_norm=1.0, **entry))
    assert [found.step for found in journal.read()] == [1, 2, 3]
    assert journal.read()[-1].grad_norm == 1.0
