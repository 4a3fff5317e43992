"""The results dataset: how it is laid out, and what it holds at one commit. Nothing else reads it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.data.formats.jsonl import read_jsonl
from harness.errors import DataError, RepoNotFound, UsageError
from harness.evaluation.card_verdict import CardVerdict, load_verdict
from harness.evaluation.records import EvalReport, EvalRun, is_score
from harness.evaluation.report_json import read_report
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.hub.lineage import LineageRecord, parse_record
from harness.models.prompts.thinking import OFF, SETTINGS

RESULTS = "tft-benchmark-results"
"""Name of the dataset repository that holds predictions, scores and reports, one config per model."""
Rows = Sequence[Mapping[str, Any]]
Unreadable = Callable[[str, str], None]
"""Takes a configuration that cannot be read, and why; it is left out. Without one that is a DataError."""

_OUTSIDE_CONFIG_NAME = re.compile(r"[^A-Za-z0-9._-]")
_RECORD = re.compile(r"(?:reports|lineage)/([^/]+)\.json")
_TEXTS = ("pair_id", "conversation", "reference")
"""What every row has."""
_ASKED = tuple(one for one in SETTINGS if one != OFF)
_EVERY = "*"
_AGAIN = "evaluate that model again"


def config_name(model: str, thinking: str | None = None) -> str:
    """Return the name under which a model's results are kept: a configuration of the dataset.

    Those of a model that was asked to think have `--thinking-` and the setting after it, which no name of a repository
    has either; where nothing was asked, or thinking off, it is the model's own.
    `/` becomes `--`, which no repository name may contain, so two repositories never share a name;
    any other character outside letters, digits, `.`, `_` and `-` becomes `-`. ValueError for an empty name.
    """
    if not model:
        raise ValueError("a model without a name has no place in the results; give its repository, owner/name")
    asked = f"--thinking-{thinking}" if thinking in _ASKED else ""
    return _OUTSIDE_CONFIG_NAME.sub("-", model.replace("/", "--")) + asked


def config_of(run: EvalRun) -> str:
    """Return the configuration that a run's results are kept under."""
    name = run.model_name
    return config_name(name.repository or replace(name, revision=None).public, run.thinking)


def report_file(config: str) -> str:
    """Return where the newest report of a configuration lies."""
    return f"reports/{config}.json"


def rows_file(config: str) -> str:
    """Return where the rows of a configuration lie."""
    return f"data/{config}/test.jsonl"


def lineage_file(config: str) -> str:
    """Return where the lineage of a configuration lies."""
    return f"lineage/{config}.json"


def plot_file(config: str, name: str) -> str:
    """Return where a plot of a configuration lies."""
    return f"plots/{config}/{name}"


def verdict_file(config: str) -> str:
    """Return where what stands beside a configuration's scores lies."""
    return f"verdict/{config}.json"


def configs_of(paths: Iterable[str]) -> list[str]:
    """Return the configurations that files of the dataset are about, by name: those with a report or a lineage."""
    return sorted({found[1] for path in paths if (found := _RECORD.fullmatch(path))})


@dataclass(frozen=True, slots=True)
class ResultsDataset:
    """The results dataset at one commit. Each part is read when it is asked for, of one configuration or of all.

    What cannot be read is a DataError that names dataset, file and line.
    """

    hub: Hub
    artifact: Artifact

    @classmethod
    def at(cls, hub: Hub, name: str) -> ResultsDataset:
        """Return the dataset `owner/name[@revision]` at the commit that it has now; raises RepoNotFound."""
        return cls(hub, hub.find(name, "dataset"))

    @classmethod
    def find(cls, hub: Hub, name: str) -> ResultsDataset | None:
        """Return the dataset as `at` does, None where there is none yet."""
        try:
            return cls.at(hub, name)
        except RepoNotFound:
            return None

    def configs(self) -> list[str]:
        """Return the configurations, by name: those with a report or a lineage."""
        return configs_of(self.hub.files(self.artifact))

    def reports(self, config: str = _EVERY) -> dict[str, EvalReport]:
        """Return the reports by configuration."""
        with self._files(report_file(config)) as found:
            return {path.stem: read_report(path) for path in found}

    def lineages(self, config: str = _EVERY, *, unreadable: Unreadable | None = None) -> dict[str, LineageRecord]:
        """Return the lineages by configuration."""
        made: dict[str, LineageRecord] = {}
        with self._files(lineage_file(config)) as found:
            for path in found:
                with self._part(path.stem, path, lineage_file(path.stem), unreadable):
                    made[path.stem] = parse_record(path.read_bytes(), str(path), advice=_AGAIN)
        return made

    def rows(self, config: str = _EVERY, *, unreadable: Unreadable | None = None) -> dict[str, Rows]:
        """Return the rows by configuration: each with its pair, and scores from 0 to 1 or null."""
        reports, rows = self.reports(config), dict[str, Rows]()
        with self._files(rows_file(config)) as found:
            for path in found:
                name = path.parent.name
                with self._part(name, path, rows_file(name), unreadable):
                    rows[name] = read_rows(path, reports.get(name))
        return rows

    def verdict(self, config: str) -> CardVerdict | None:
        """Return what stands beside the scores of a configuration; None where nothing does."""
        with self._files(verdict_file(config)) as found:
            texts = [path.read_text(encoding="utf-8", errors="replace") for path in found]
        return load_verdict(texts[0], f"{verdict_file(config)} of dataset {self.artifact}") if texts else None

    def plots(self, config: str, report: EvalReport) -> dict[str, bytes]:
        """Return those of the plots that a report speaks of which are there, by name."""
        with self._files(plot_file(config, "*.png")) as found:
            return {path.name: path.read_bytes() for path in found if path.name in report.plots}

    @contextmanager
    def _part(self, config: str, path: Path, name: str, unreadable: Unreadable | None) -> Iterator[None]:
        try:
            yield
        except DataError as error:
            if unreadable is None:
                raise
            unreadable(config, f"dataset {self.artifact}: {str(error).replace(str(path), name)}")

    @contextmanager
    def file(self, path: str) -> Iterator[Path | None]:
        """Yield a file within the block, None where there is none; errors in the block name the dataset."""
        with self._files(path) as found:
            yield next(iter(found), None)

    @contextmanager
    def _files(self, pattern: str) -> Iterator[list[Path]]:
        folder = self.hub.pull(self.artifact, [pattern])
        try:
            yield sorted(folder.glob(pattern))
        except DataError as error:  # its place on the Hub says more than the one in the cache
            problem = str(error).replace(f"{folder}/", "")
            raise DataError(f"dataset {self.artifact}: {problem}") from error


def read_rows(path: Path, report: EvalReport | None) -> Rows:
    """Return the rows of a file; DataError for one without its pair, or with a score that is none."""
    metrics = list(report.rows["model"]) if report else []
    found = []
    for number, row in read_jsonl(path):
        missing = [key for key in _TEXTS if not isinstance(row.get(key), str)]
        wrong = [metric for metric in metrics if row.get(metric) is not None and not is_score(row[metric])]
        if missing or wrong:
            problem = (
                f"no text under {missing[0]!r}" if missing else f"{wrong[0]} is neither a number from 0 to 1 nor null"
            )
            raise DataError.at(path, number, f"{problem}; {_AGAIN}")
        found.append(row)
    return found


def evaluated_models(hub: Hub, namespace: str) -> list[str]:
    """Return the model repositories of `namespace` with a report in its results dataset; UsageError for none."""
    dataset = ResultsDataset.find(hub, f"{namespace}/{RESULTS}")
    names = {report.run.model_name.repository for report in dataset.reports().values()} if dataset else set()
    found = sorted(name for name in names if name and name.startswith(f"{namespace}/"))
    if not found:
        raise UsageError(
            f"{namespace}/{RESULTS} has no report of a model of {namespace}; run `tft evaluate {namespace}/MODEL`, or "
            "name the owner of the results with --namespace"
        )
    return found
