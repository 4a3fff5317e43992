"""Inputs of the evaluation benchmarks: a student of 4M parameters, and the published test set or the sample task."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.hub.client import Hub
from harness.hub.publishing import push_folder
from harness.training.small_model import create_student
from support.sample_test_set import write_test_set

STUDENT = "local/bench-student"


def push_inputs(client: Hub, scratch: Path) -> str:
    """Push a 4M student and the test set, and return the name of that."""
    dataset = push_test_set(client, scratch)
    folder = client.pull(client.resolve("dataset", dataset))
    texts = (folder / "data" / "conversations" / "test.jsonl").read_text().splitlines()
    create_student(scratch / "student", texts=[*texts, (folder / "job_description.json").read_text()])
    push_folder(client, "model", STUDENT, scratch / "student", message="student")
    return dataset


def push_test_set(client: Hub, scratch: Path) -> str:
    """Push the test set, the published one with TFT_SOURCES, else the sample task's, and return its name."""
    if os.environ.get("TFT_SOURCES"):
        command = [sys.executable, "-m", "harness.cli", "data", "build", "--push", "--scenario", "4"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return "local/tft-benchmark-testset"
    dataset = "local/sample-testset"
    write_test_set(scratch / "testset", 40)
    push_folder(client, "dataset", dataset, scratch / "testset", message="sample")
    return dataset
