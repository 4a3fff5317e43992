"""An agent of another library books a table through `tft serve`: its prompts are the evaluation's, its calls arrive.

    python tests/benchmarks/agents.py [--python VENV/bin/python] [--framework pydantic-ai]

VENV is an environment with that library (`uv venv VENV && uv pip install --python VENV 'pydantic-ai-slim[openai]'`),
which need not have this package. Behind the endpoint, in place of an engine, the sample task's test conversation
answers those prompts that `tft evaluate` makes, token for token, and no others. Exit status 1 where the agent does not
say and call what the conversation has.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.data.formats.messages import expand_pairs
from harness.data.records import TurnPair
from harness.data.sample import sample_conversations, sample_task
from harness.data.tasks import TestSet
from harness.data.tools import Toolbox
from harness.hub.artifact import Artifact
from harness.models import parsing
from harness.models.backends._base import EvaluateConfig
from harness.models.backends.vllm import EvaluatedCheckpoint
from harness.models.engine.checkpoint import Checkpoint
from harness.models.serving.rendering import ServedTask
from harness.models.serving.serve import PulledModels
from harness.models.serving.service import TaskKnown
from harness.training.small_model import create_student, sample_texts
from support.replay_engine import ReplayEngine, pieces
from support.served import serving

CLIENT = Path(__file__).with_name("agents_client.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python")
    parser.add_argument("--framework", default="pydantic-ai")
    options = parser.parse_args()
    if options.python is None:
        print("not run: no environment with the library; give --python")
        return
    with tempfile.TemporaryDirectory(prefix="tft-bench-") as name:
        folder = Path(name)
        create_student(folder, texts=sample_texts(), parameters=400_000, vocabulary=4096, context=16384)
        sys.exit(booked(folder, options.python, options.framework))


def booked(folder: Path, python: str, framework: str) -> bool:
    task, talk = sample_task(), max(sample_conversations(30), key=lambda one: len(one.messages))
    pairs = expand_pairs([talk])
    model, data = (Artifact(kind=kind, repo_id=f"me/{kind}", revision="a" * 40) for kind in ("model", "dataset"))  # type: ignore[arg-type]
    pulled = PulledModels(
        base=Checkpoint(
            artifact=model, folder=folder, config=json.loads((folder / "config.json").read_text()), base_model=None
        ),
        adapters=(),
        test_set=TestSet(artifact=data, task=task, pairs=tuple(pairs), total=len(pairs)),
        task=TaskKnown.of(ServedTask.of(task, own_system=True, pairs=pairs)),
    )
    evaluated = EvaluatedCheckpoint(pulled.base, pulled.test_set, EvaluateConfig())
    evaluated.make_prompts()
    known = {evaluated.asked[one.id].token_ids: parsing.canonical(one.reference) for one in pairs}
    others: list[dict[str, Any]] = []

    def answer(request: dict[str, Any]) -> Any:
        text = known.get(tuple(request["prompt"]))
        if text is None:
            others.append(request)
        return pieces(text or "This is no prompt of the evaluation."), "stop"

    with serving(pulled, ReplayEngine(answer=answer, context=1 << 20)) as endpoint:
        reply = Toolbox(task.tools).reply.tool
        tools = [tool for tool in task.tools if tool["function"]["name"] != reply]
        turns = [pair.prefix[-1].content for pair in pairs]
        asked = json.dumps({"url": endpoint.url, "tools": tools, "turns": turns})
        done = subprocess.run([python, CLIENT, framework], input=asked, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr)
        return True
    return _differs(json.loads(done.stdout), pairs, reply, framework, len(others))


def _differs(found: dict[str, Any], pairs: list[TurnPair], reply: str, framework: str, others: int) -> bool:
    calls = [pair.reference for pair in pairs]
    said = [one.arguments["message"] for one in calls if one.name == reply]
    called = [[one.name, one.arguments] for one in calls if one.name != reply]
    same = (found["said"], found["called"]) == (said, called)
    print(
        f"{framework} {found['version']}: {len(found['said'])} replies and {len(found['called'])} tool calls in "
        f"{len(pairs)} turns, {'all' if same else 'not'} those of the conversation; {others} prompts were not the "
        "evaluation's"
    )
    return not same or others > 0


if __name__ == "__main__":
    main()
