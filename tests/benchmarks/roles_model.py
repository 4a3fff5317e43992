"""A language model in the pipeline's roles on traces of scenario 2, beside the rules: usable answers, gates, the truth.

`tft filter`, `relabel` and `synthesize` run with rules and with the model behind our own vLLM server, which is started
once. Each stage of the model begins with what the rules' stage before it wrote, so that no failure counts twice; the
three run side by side, and so do their questions. Needs the source files (TFT_SOURCES).

    TFT_SOURCES=sources python tests/benchmarks/roles_model.py FOLDER|REPO [--traces 20] [--drafts 20] [--out FILE]

FOLDER has a model as transformers saves it; REPO is one on the Hub of HF_ENDPOINT. The committee is the model alone,
so that nothing goes to an arbiter; `--disputes N` lets it settle, in N traces, where it differs from
`rules:labeler-state`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import roles_model_figures as figures
from roles_model_page import page

from harness.curation.repair.ground_truth import published_truth
from harness.data.formats.jsonl import write_json
from harness.data.formats.task import read_task
from harness.data.sources import Sources, locate
from harness.data.tools import Toolbox
from harness.data.traces.read import read_traces
from harness.errors import HarnessError
from harness.hub.client import Hub
from harness.hub.connect import started
from harness.hub.publishing import push_folder
from harness.models.chat.chat_models import ChatModels, ChatSettings
from harness.models.engine.build import split_engine_args

KEY, STAGES = "ROLES_MODEL_KEY", ("filter", "relabel", "synthesize")
TFT = (sys.executable, "-m", "harness.cli")
SYNTHESIS = ("--lengths", "seeds", "--set", "tries=1", "--set", "exemplars=1", "--set", "context=0")
"""Each draft is written once, after one example: prompts stay short enough for small contexts."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="FOLDER|REPO")
    parser.add_argument("--name", help="what the results call it; default: the last part of FOLDER or REPO")
    parser.add_argument("--traces", type=int, default=20)
    parser.add_argument("--among", type=int, metavar="N", help="those with the fewest messages of the first N traces")
    parser.add_argument("--drafts", type=int, default=20)
    parser.add_argument("--disputes", type=int, default=0, metavar="N", help="traces whose disputes the model settles")
    parser.add_argument("--max-tokens", type=int, default=1024, help="of an answer, asked again or not")
    parser.add_argument("--engine-arg", action="append", default=[], metavar="KEY=VALUE", help="for the server")
    parser.add_argument("--work", type=Path, help="keep all files here")
    parser.add_argument("--out", type=Path, help="JSON file with the figures; the page is beside it")
    options = parser.parse_args()
    options.name = options.name or Path(options.model).name
    try:
        sources = locate()
        with tempfile.TemporaryDirectory() as scratch:
            measure(options, sources, options.work or Path(scratch))
    except HarnessError as error:
        sys.exit(f"nothing measured: {error}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """The stages' commands on one set of traces."""

    traces: Path
    task: Path
    work: Path
    options: argparse.Namespace

    def command(self, stage: str, who: str) -> list[str]:
        """Return the command of a stage by `rules` or by the `model`."""
        inputs = {"filter": self.traces, "relabel": self.folder("filter"), "synthesize": self.folder("relabel")}
        words = [*TFT, stage, str(inputs[stage]), "--task", str(self.task), "--scenario", "2"]
        words += ["--out", str(self.folder(stage, who))]
        if stage == "synthesize":
            words += [*SYNTHESIS, "--target", str(self.options.drafts)]
        return words + (self._model(stage) if who == "model" else [])

    def folder(self, stage: str, who: str = "rules") -> Path:
        """Return where a stage writes."""
        return self.work / f"{stage}-{who}"

    def _model(self, stage: str) -> list[str]:
        name = f"openai:{self.options.name}"
        return ["--committee", name, "--arbiter", name] if stage == "relabel" else ["--teacher", name]

    def disputes(self) -> list[str]:
        """Return the command that has the model settle where it differs from the rules."""
        name, out = f"openai:{self.options.name}", str(self.folder("arbiter", "model"))
        words = [*TFT, "relabel", str(self.folder("filter")), "--task", str(self.task), "--scenario", "2", "--out", out]
        words += ["--limit", str(self.options.disputes), "--committee", name, "--committee", "rules:labeler-state"]
        return [*words, "--arbiter", name]


def measure(options: argparse.Namespace, sources: Sources, work: Path) -> None:
    """Run the stages, print the figures, and write them where that is wanted."""
    work.mkdir(parents=True, exist_ok=True)
    built = ["data", "build", "--scenario", "2", "--out", str(work / "data")]
    subprocess.run([*TFT, *built], check=True)
    task = sources.folder / "tft-benchmark" / "job_description.json"
    traces = chosen(work / "data" / "scenario-2-noisy-labels" / "tft" / "traces.jsonl", options)
    runs = Runs(traces=traces, task=task, work=work, options=options)
    for stage in STAGES:
        run([runs.command(stage, "rules")], {})
    start = time.monotonic()
    with engine(options, work) as environment:
        ready = time.monotonic()
        run([runs.command(stage, "model") for stage in STAGES], environment)
        if options.disputes:
            run([runs.disputes()], environment)
        done = time.monotonic()
    found = collect(runs, sources) | {
        "seconds until the engine was ready": round(ready - start),
        "seconds of the stages, side by side": round(done - ready),
        "cores": os.cpu_count(),
        "load average of the last 15 minutes": round(os.getloadavg()[2], 1),
    }
    print(page(found))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        write_json(options.out, found)
        options.out.with_suffix(".md").write_text(page(found), encoding="utf-8")


def chosen(path: Path, options: argparse.Namespace) -> Path:
    """Write so many of the traces beside the file of all, in its order."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)[: options.among]
    lengths = [len(row.conversation.messages) for row, _ in zip(read_traces(path), lines, strict=False)]
    order = sorted(range(len(lines)), key=lengths.__getitem__) if options.among else range(len(lines))
    kept = sorted(order[: options.traces])
    found = path.with_name("chosen.jsonl")
    found.write_text("".join(lines[place] for place in kept), encoding="utf-8")
    return found


def run(commands: Sequence[Sequence[str]], environment: dict[str, str]) -> None:
    """Run commands side by side. Status 1 says that nothing can go on, which is a result; more is an error."""
    started_ = [subprocess.Popen(command, env={**os.environ, **environment}) for command in commands]
    statuses = [one.wait() for one in started_]
    if any(status not in (0, 1) for status in statuses):
        sys.exit(f"nothing measured: the commands ended with {statuses}")


@contextmanager
def engine(options: argparse.Namespace, work: Path) -> Iterator[dict[str, str]]:
    """Start the server of the pipeline's roles, once; yields the variables with which commands find it."""
    if not Path(options.model).is_dir():
        with served(Hub.connect(None), options.model, options, work) as environment:
            yield environment
        return
    with started("the embedded Hub", work / "hub") as embedded:
        hub = Hub(embedded.url, embedded.token)
        repo = f"{hub.namespace(None)}/{options.name.lower()}"
        push_folder(hub, "model", repo, Path(options.model), message="model")
        with served(hub, repo, options, work) as environment:
            yield environment


@contextmanager
def served(hub: Hub, repo: str, options: argparse.Namespace, work: Path) -> Iterator[dict[str, str]]:
    """Serve a model as the roles do, and write an endpoints file that names it."""
    arguments = split_engine_args(options.engine_arg)
    settings = ChatSettings(log=work / "engine.log", cache=work / "no-answers", engine_args=arguments)
    with ChatModels(settings, hub) as models:
        found = models.model(repo).endpoint(missing=True)
        entry = {
            "base_url": found.base_url,
            "model": found.model,
            "key_variable": KEY,
            "price": {"input": 0, "output": 0},
            "limits": {"timeout": found.timeout, "max_tokens": options.max_tokens},
        }
        write_json(work / "endpoints.yaml", {options.name: entry})  # JSON is YAML
        cache = str(work / "cache")
        yield {KEY: found.key or "", "TFT_ENDPOINTS": str(work / "endpoints.yaml"), "XDG_CACHE_HOME": cache}


def collect(runs: Runs, sources: Sources) -> dict[str, Any]:
    """Return what the stages' files say."""
    truths, toolbox = published_truth(sources, 2, "tft"), Toolbox(read_task(runs.task).tools)
    originals = {row.conversation.id: row.conversation for row in read_traces(runs.traces)}.__getitem__
    places = {stage: (runs.folder(stage, "model"), runs.folder(stage)) for stage in STAGES}
    counts = [one for stage in STAGES for one in figures.answers(places[stage][0])]
    settled = runs.folder("arbiter", "model")
    found = {
        "model": runs.options.name,
        "date": date.today().isoformat(),
        "settings": {
            name: getattr(runs.options, name) for name in ("traces", "among", "drafts", "disputes", "max_tokens")
        },
        "filter": figures.filtering(*places["filter"], truths, originals),
        "relabel": figures.relabelling(*places["relabel"], truths, originals, toolbox),
        "synthesize": figures.synthesis(*places["synthesize"]),
    }
    if runs.options.disputes:
        counts += [one for one in figures.answers(settled) if one["role"] == "arbiter"]
        found["arbiter"] = figures.settling(settled, truths, originals, toolbox)
    return found | {"answers": counts}


if __name__ == "__main__":
    main()
