"""The verdict on the cards of the models: pushed beside their results, and then onto the cards."""

from __future__ import annotations

import json
from collections.abc import Iterator

from harness.benchmark.cells import BASELINE_KINDS
from harness.benchmark.report.records import BenchmarkReport
from harness.benchmark.report.training_verdict_words import headline
from harness.data.formats.task import read_task
from harness.data.tasks import TASK
from harness.evaluation.card_verdict import CardVerdict
from harness.evaluation.results import ResultsDataset, verdict_file
from harness.hub.client import Hub
from harness.reports.publish import card_files

MESSAGE = "The verdict, and what stands beside the models"


def push_verdicts(hub: Hub, summary: BenchmarkReport) -> int:
    """Push what the report says of each model, and the cards that it changes; return how many cards changed."""
    results = summary.results.repo_id
    said = dict(_verdicts(summary))
    files = {verdict_file(config): json.dumps(one.dump(), indent=2) + "\n" for config, (_, one) in said.items()}
    before = {path: hub.read_text("dataset", results, path) for path in files}
    changed = {path: text for path, text in files.items() if before[path] != text}
    if not changed:
        return 0
    hub.commit_files("dataset", results, dict(changed), message=MESSAGE)
    dataset = ResultsDataset.at(hub, results)
    pushed = 0
    for config, (model, _) in said.items():
        if verdict_file(config) in changed:
            pushed += _push_card(hub, dataset, config, model)
    return pushed


def _push_card(hub: Hub, dataset: ResultsDataset, config: str, model: str) -> bool:
    report = dataset.reports(config)[config]
    task = read_task(hub.pull(report.run.test_set, [TASK]) / TASK)
    namespace = dataset.artifact.repo_id.partition("/")[0]
    files = card_files(hub, model, report, task, namespace=namespace, plots=dataset.plots(config, report))
    main = hub.resolve("model", model)
    if all(hub.read(main, path) == body for path, body in files.items()):
        return False
    hub.commit_files("model", model, dict(files), message=MESSAGE)
    return True


def _verdicts(summary: BenchmarkReport) -> Iterator[tuple[str, tuple[str, CardVerdict]]]:
    """Yield configuration, model and verdict of each run that counts."""
    worth = {row.scenario: row for row in summary.worth.rows if row.gains}
    beside = {BASELINE_KINDS[one.kind].removeprefix("the ").capitalize(): dict(one.scores) for one in summary.beside}
    for row in summary.main.rows:
        for run in (run for cell in row.cells for run in cell.done):
            if run.config and run.model and row.scenario in worth:
                found = worth[row.scenario]
                yield (
                    run.config,
                    (
                        run.model,
                        CardVerdict(
                            model_revision=run.revision,
                            test_set=f"{summary.test_set}@{summary.test_set_revision}",
                            decision=found.decision,
                            sentence=headline(found, summary.worth.thresholds),
                            beside={name: scores for name, scores in beside.items() if scores},
                        ),
                    ),
                )
