"""`tft demo`: the whole way once, small: task, student, evaluation, results, card, on a Hub of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.commands import _options

if TYPE_CHECKING:
    from harness.hub import Hub
    from harness.stages.evaluate import Evaluation

_STUDENT, _TRACES, _TRAINED = "sample-student", "sample-traces", "sample-trained"
_PARAMETERS = 1_500_000
_TRACES_COUNT, _EPOCHS, _LEARNING_RATE = 64, 8, 2e-3
"""What a student of this size learns the sample task from in two minutes."""


@click.command(epilog="\b\nExample:\n  tft demo --folder /tmp/tft-demo")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".demo"),
    show_default=True,
    help="Where the Hub of the demonstration and the results are kept.",
)
@click.option("--conversations", type=click.IntRange(min=2), default=8, show_default=True, help="Size of the test set.")
@click.option("--max-tokens", type=click.IntRange(min=1), default=96, show_default=True, help="Longest answer.")
def command(folder: Path, conversations: int, max_tokens: int) -> None:
    """Evaluate a small model on a small task, for real, on a local Hub: no keys, no downloads.

    Simulated restaurant conversations and a small Qwen3-shaped student are made and pushed like any other; the
    student is trained on some of the conversations, answered by vLLM on others, judged by rules, and gets
    its results and its card.
    """
    import os

    from harness.errors import HubError

    _options.share_cores()
    folder = folder.resolve()
    # Read by the client when it is imported: the demonstration leaves the user's own cache alone.
    os.environ["HF_HUB_CACHE"] = str(folder / "cache")
    os.environ.pop("HF_HUB_OFFLINE", None)
    from harness.hub import Hub
    from harness.hubd.embedded import running
    from harness.hubd.errors import HubStartError
    from harness.report import print_report

    try:
        with running(folder / "hub") as hub:
            os.environ["HF_TOKEN"] = hub.token
            client = Hub.connect(hub.url)
            evaluation = _evaluate(client, folder, conversations, max_tokens)
            card = client.read_text("model", f"{client.namespace()}/{_TRAINED}", "README.md") or ""
    except HubStartError as error:
        raise HubError(f"the Hub of the demonstration did not start: {error}") from error
    (folder / "card.md").write_text(card, encoding="utf-8")
    print_report(evaluation.scorecard.report)
    click.echo(
        "\nTwo minutes of training teach a student of this size which tool to call when, and hardly what to fill in:\n"
        "the table shows the way, not a result.\n"
        f"  its card          {_short(folder / 'card.md')}\n"
        f"  rows and report   {_short(evaluation.folder)}\n"
        f"  the Hub           tft hub serve --root {_short(folder / 'hub')}\n"
        "Next: tft evaluate --help"
    )


def _evaluate(hub: Hub, folder: Path, conversations: int, max_tokens: int) -> Evaluation:
    from harness.judging.judges import JudgeConfig
    from harness.models import ModelName
    from harness.results import destination, publish
    from harness.stages.evaluate import Place, evaluate
    from harness.subjects import EvaluateConfig
    from harness.terminal import say
    from harness.testset import pull_test_set

    owner = hub.namespace()
    say(f"a Hub on {hub.endpoint}, kept in {_short(folder / 'hub')}")
    data = _push_test_set(hub, owner, conversations)
    model = _train_student(hub, owner, folder)
    test_set = pull_test_set(hub, data)
    name = ModelName.parse(model)
    place = destination(hub, owner, name, test_set)
    config = EvaluateConfig(max_tokens=max_tokens)
    runs = Place(root=folder / "runs", resume=True)
    judging = JudgeConfig(judges=("rules:judge",))
    (evaluation,) = evaluate([name], hub, test_set, config, runs, judging=judging)
    for address in publish(hub, place, evaluation, test_set):
        say(f"pushed {address}")
    return evaluation


def _push_test_set(hub: Hub, owner: str, conversations: int) -> str:
    import tempfile

    from harness.sample import write_test_set
    from harness.terminal import progress

    repo_id = f"{owner}/sample-testset"
    with progress("simulating conversations"), tempfile.TemporaryDirectory(prefix="tft-") as scratch:
        write_test_set(Path(scratch), conversations, repo_id=repo_id)
        hub.publish("dataset", repo_id, Path(scratch), message="Simulated restaurant conversations")
    return repo_id


def _push_student(hub: Hub, owner: str) -> str:
    import tempfile

    from transformers.utils import logging

    from harness.student import create_student, prepare_to_learn, sample_texts
    from harness.terminal import progress

    repo_id = f"{owner}/{_STUDENT}"
    logging.disable_progress_bar()
    with progress("making a student"), tempfile.TemporaryDirectory(prefix="tft-") as scratch:
        create_student(Path(scratch), texts=sample_texts(), parameters=_PARAMETERS)
        prepare_to_learn(Path(scratch), seed=0)
        hub.publish("model", repo_id, Path(scratch), message="Random weights")
    return repo_id


def _train_student(hub: Hub, owner: str, folder: Path) -> str:
    """Push the student and conversations to learn from, train it on all of them, and return the trained model."""
    import tempfile

    from harness.models import ModelName
    from harness.sample import sample_conversations, sample_task
    from harness.stages.train import TrainRequest, train_student
    from harness.training.config import TrainConfig
    from harness.wire.jsonl import write_jsonl
    from harness.wire.messages import dump_conversation

    traces = f"{owner}/{_TRACES}"
    with tempfile.TemporaryDirectory(prefix="tft-") as scratch:
        rows = map(dump_conversation, sample_conversations(_TRACES_COUNT, seed=1))  # the test set's seed is 0
        write_jsonl(Path(scratch) / "data" / "train.jsonl", rows)
        hub.publish("dataset", traces, Path(scratch), message="Simulated restaurant conversations to learn from")
    request = TrainRequest(
        source=traces,
        arm=None,
        student=ModelName.parse(_push_student(hub, owner)),
        task=sample_task(),
        task_input="sample-task",
        repo_id=f"{owner}/{_TRAINED}",
        # The student knows nothing yet, so all of its weights have to learn.
        config=TrainConfig(method="full", epochs=_EPOCHS, learning_rate=_LEARNING_RATE),
    )
    train_student(request, hub, out=folder / "training", resume=True, push=True)
    return request.repo_id


def _short(path: Path) -> str:
    """Return the path from here, where it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
