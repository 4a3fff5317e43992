"""Several processes: the same run as one process with as much more accumulation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from harness.training.config import TrainConfig
from harness.training.examples import TrainingExamples
from harness.training.loop import SHARED, train

PROGRAM = """
import json, sys
from pathlib import Path
from harness.training.config import TrainConfig
from harness.training.examples import Example, TrainingExamples
from harness.training.loop import train

base, inputs, folder = map(Path, sys.argv[1:])
plan = json.loads(inputs.read_text())
examples = TrainingExamples(items=tuple(Example(**item) for item in plan["items"]), skipped={})
train(base, examples, TrainConfig(**plan["config"]), folder, pad_token_id=0, resume=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("batches", [{}, {"batch_size": "auto", "accumulation": 2}], ids=["as set", "by memory"])
def test_two_processes_train_as_one_with_twice_the_accumulation(
    small_base: Path, small_examples: TrainingExamples, tmp_path: Path, batches: dict[str, Any]
) -> None:
    """Three batches, so that the last step of an epoch has one for two processes; equal up to rounding.

    Each shares what it begins with. Only one of them writes: no line of the log is there twice. By memory, each finds
    out what fits.
    """
    config = TrainConfig(
        lora_rank=4, lora_alpha=4, epochs=2, learning_rate=1e-2, equal_turns=True, save_every=3, batch_size=2
    )
    alone = config.model_copy(update={"accumulation": 2})
    same = tuple(range(20))
    items = [
        replace(item, input_ids=same + item.input_ids, turns=tuple((start + 20, end + 20) for start, end in item.turns))
        for item in small_examples.items[:5]
    ]
    examples = TrainingExamples(items=tuple(items), skipped={})
    one = train(small_base, examples, alone, tmp_path / "one", pad_token_id=0, resume=False)
    program, plan = tmp_path / "program.py", tmp_path / "plan.json"
    program.write_text(PROGRAM)
    settings = config.model_dump() | batches
    plan.write_text(json.dumps({"items": [asdict(item) for item in items], "config": settings}))
    # `accelerate launch --cpu --num_processes 2` starts a single process without MPI; this is what it runs for GPUs.
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launch, str(program), str(small_base), str(plan), str(tmp_path / "two")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    log = [json.loads(line) for line in (tmp_path / "two" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [entry.step for entry in one.log] == list(range(1, 5))
    assert one.sharing == SHARED
    assert {line["batch_size"] for line in log} == {2 if batches else None}
    assert [line["loss"] for line in log] == pytest.approx([entry.loss for entry in one.log], rel=1e-5)
    assert [line["grad_norm"] for line in log] == pytest.approx([entry.grad_norm for entry in one.log], rel=1e-4)
    found, expected = (
        load_file(folder / "adapter" / "adapter_model.safetensors") for folder in (tmp_path / "two", tmp_path / "one")
    )
    assert max(float((found[name] - expected[name]).abs().max()) for name in expected) < 1e-4
