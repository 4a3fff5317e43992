"""How well out-of-context replies are detected on services with wrong labels, and the fitted weights of the classifier.

It is fitted on eight services of SGD and measured on eight others and on scenario 2; prints the weights for
`harness/rules/labeler/response_fit.py`. Needs all source files (TFT_SOURCES).

    TFT_SOURCES=sources python tests/benchmarks/foreign.py [--fit]
"""

from __future__ import annotations

import argparse
import os
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import scenarios
from harness.data.formats.sgd import Trace, parse_dialogues
from harness.data.formats.task import read_task
from harness.data.records import Conversation, Task
from harness.data.scenarios._recipes import Pools, draw_clean, mislabel
from harness.data.scenarios.noisy_labels import corrupt
from harness.data.sgd_task import describe, read_schema
from harness.data.sources import Sources, locate
from harness.data.tools import Toolbox
from harness.rules.labeler import response_fit
from harness.rules.labeler.reply_context import ReplyInContext, replies_in_context, trusted_words

FITTED = {
    "Movies_1": "Restaurants_2", "Banks_1": "Hotels_2", "Events_2": "Flights_1", "Services_1": "Music_2",
    "Media_1": "Buses_3", "Homes_1": "Movies_1", "Hotels_1": "Restaurants_1", "Restaurants_2": "Hotels_4",
}  # fmt: skip
UNSEEN = {
    "Flights_1": "Hotels_1", "Calendar_1": "Restaurants_1", "Music_2": "Hotels_3", "Services_3": "Flights_3",
    "Buses_3": "Banks_1", "Hotels_4": "Movies_1", "Hotels_2": "Restaurants_1", "Flights_3": "Media_1",
}  # fmt: skip
"""Service -> where its foreign replies come from."""
SIZES = (None, 40, 12)
Batch = tuple[str, list[Conversation], Task, set[tuple[str, int]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true", help="fit the weights anew before measuring")
    options = parser.parse_args()
    folder = Path(os.environ.get("TFT_SOURCES") or "sources")
    if not folder.is_dir():
        print("nothing measured: set TFT_SOURCES to a folder with the source files, see `tft sources fetch`")
        return
    sources = locate(folder)
    by_service = read(folder)
    if options.fit:
        fit(list(batches(sources, by_service, FITTED)))
    print(f"{'batch':40}{'replies':>8}{'foreign':>8}{'recall':>8}{'precision':>10}{'alarms':>8}")
    for batch in (*batches(sources, by_service, UNSEEN), *second_scenario(sources)):
        report(batch)


def read(folder: Path) -> dict[str, list[Trace]]:
    """Return all single-service dialogues."""
    found: dict[str, list[Trace]] = defaultdict(list)
    for split in ("train", "dev", "test"):
        for path in sorted((folder / "sgd" / split).glob("dialogues_*.json")):
            for trace in parse_dialogues(path.read_bytes(), split=split, where=str(path)):
                found[trace.service].append(trace)
    return found


def batches(sources: Sources, by_service: dict[str, list[Trace]], pairs: dict[str, str]) -> Iterator[Batch]:
    """Yield each service with wrong labels and clean, whole and in smaller samples."""
    for service, other in pairs.items():
        task = describe(read_schema(sources, service), by_service[service])
        for size in SIZES:
            traces = by_service[service][:size]
            tools = sorted({call.name for trace in traces for call in trace.calls} - {"respond_to_user"})
            pools = Pools.of(traces, by_service[other], tools)
            rng = random.Random(f"{service}:{size}")
            kept = draw_clean(len(traces), 0.1, rng)
            noisy = [mislabel(trace, pools, rng)[0] if at not in kept else trace for at, trace in enumerate(traces)]
            name = f"{service} of {other}" + (f", {size} traces" if size else "")
            yield named(name, noisy, traces, task)
            yield named(f"{name}, clean", traces, traces, task)


def second_scenario(sources: Sources) -> Iterator[Batch]:
    dialogues = scenarios.read_dialogues(sources)
    task = read_task(sources.folder / "tft-benchmark" / "job_description.json")
    clean = list(dialogues.restaurants)
    for arm in scenarios.ARMS:
        yield named(f"scenario 2, {arm}", corrupt(dialogues, arm)[0], clean, task)
    yield named("scenario 1", clean, clean, task)


def named(name: str, traces: Sequence[Trace], clean: Sequence[Trace], task: Task) -> Batch:
    """Return a batch with ids of its own, and where a reply is another's."""
    conversations = [replace(trace.conversation, id=str(number)) for number, trace in enumerate(traces)]
    wrong = set()
    for conversation, before in zip(conversations, clean, strict=True):
        for at, (now, was) in enumerate(zip(conversation.messages, before.conversation.messages, strict=True)):
            one, other = now.tool_calls[:1], was.tool_calls[:1]
            if one and other and one[0].name == other[0].name == "respond_to_user" and one != other:
                wrong.add((conversation.id, at))
    return name, conversations, task, wrong


def measured(conversations: Sequence[Conversation], task: Task) -> tuple[list[ReplyInContext], dict[str, Any]]:
    """Return the replies of a batch, and what tells how well they fit."""
    toolbox = Toolbox(task.tools)
    replies, trusted = replies_in_context(conversations, toolbox), list(trusted_words(conversations, toolbox))
    return replies, response_fit.measure(replies, trusted, response_fit.words_of_task(task))


def report(batch: Batch) -> None:
    name, conversations, task, wrong = batch
    replies, columns = measured(conversations, task)
    truth = np.array([reply.key in wrong for reply in replies])
    found = response_fit.probabilities(columns) >= response_fit.CUT
    hits, alarms = int((found & truth).sum()), int((found & ~truth).sum())
    recall, precision = hits / max(truth.sum(), 1), hits / max(found.sum(), 1)
    print(
        f"{name:40}{len(replies):8}{truth.sum():8}{recall:8.3f}{precision:10.3f}{alarms / max((~truth).sum(), 1):8.4f}"
    )


def fit(data: Sequence[Batch]) -> None:
    """Fit the weights by penalised logistic regression, put them in place and print them."""
    from scipy.optimize import minimize

    rows, truths = [], []
    names: list[str] = []
    for _, conversations, task, wrong in data:
        replies, columns = measured(conversations, task)
        names = list(columns)
        rows.append(np.stack(list(columns.values()), axis=1))
        truths.append(np.array([reply.key in wrong for reply in replies], dtype=float))
    matrix, truth = np.vstack(rows), np.concatenate(truths)
    mean, spread = matrix.mean(axis=0), matrix.std(axis=0) + 1e-6
    scaled = np.c_[(matrix - mean) / spread, np.ones(len(matrix))]

    def loss(weights: Any) -> tuple[float, Any]:
        logits, penalty = scaled @ weights, np.r_[weights[:-1], 0]
        gradient = scaled.T @ (1 / (1 + np.exp(-logits)) - truth) + penalty
        return float((np.logaddexp(0, logits) - truth * logits).sum() + penalty @ penalty / 2), gradient

    found = minimize(loss, np.zeros(scaled.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 3000}).x
    weights = found[:-1] / spread
    response_fit._INTERCEPT = round(float(found[-1] - mean @ weights), 2)
    response_fit._WEIGHTS = {name: round(float(value), 2) for name, value in zip(names, weights, strict=True)}
    print(f"intercept {response_fit._INTERCEPT}, weights {response_fit._WEIGHTS}")


if __name__ == "__main__":
    main()
