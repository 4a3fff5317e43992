"""Write what a version of the harness leaves behind, small, with the `tft` of a checkout; see README.md.

    python make.py CHECKOUT/.venv/bin/python EMPTY_FOLDER OUT.tar.xz

Standard library only, so that it runs beside any checkout.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

endpoint = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("endpoint.py"))))
TOKEN = "hf_of_a_test"
USERS = f"users:\n  - {{name: ada, tokens: [{{token: {TOKEN}, role: write}}]}}\n"
PRESET = """\
summary: cells as small as they can be
student: small
make_student: {params: 92K, vocabulary: 300}
models: rules
target: 4
train: {epochs: 1, lora_rank: 2, lora_alpha: 4}
max_tokens: 32
threads: 1
"""
JOB = """
import sys
from pathlib import Path
try:
    from harness.data.sample.job import write_job
except ImportError:
    from harness.sample.job import write_job
write_job(Path(sys.argv[1]), traces=16, test=3)
"""
SMALL_PLOTS = """
import sys
try:
    from harness.cli.__main__ import main
    from harness.reports import plot_style
except ImportError:
    from harness import canvas as plot_style
    from harness.cli import main
plot_style.DPI = 8
main()
"""
STUDENT = """
import sys
from pathlib import Path
from huggingface_hub import HfApi
from safetensors.torch import load_file, save_file
folder = Path(sys.argv[1])
for path in folder.glob("*.safetensors"):
    weights = {name: tensor.zero_() if tensor.ndim > 1 else tensor for name, tensor in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})
HfApi().create_repo("ada/small", exist_ok=True)
HfApi().upload_folder(repo_id="ada/small", folder_path=folder)
"""
BENCHMARK = ("benchmark", "--job", "job", "--name", "sample", "--preset", "preset.yaml", "--public")
KEPT = (
    *("hub", "users.yaml", "job", "preset.yaml", "gold.jsonl", "worse.jsonl", "cache", "judged.jsonl", "rated", "said"),
    *("runs/endpoint", "runs/gold", "runs/worse", "runs/interrupted"),
)
BEFORE_THE_KILL = 9
"""Questions of the interrupted run that have their answer."""


@contextmanager
def hub(tft: Path, folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Serve `folder`/hub; yields its address."""
    (folder / "users.yaml").write_text(USERS)
    command = [tft, "hub", "serve", "--root", "hub", "--port", "0", "--users", "users.yaml"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield next(line for line in process.stdout if line.startswith("Hub ready: ")).split()[-1]
        finally:
            process.send_signal(signal.SIGINT)


def write(python: Path, folder: Path) -> None:
    """Fill `folder`."""
    tft = python.parent / "tft"
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TFT_", "OPENAI_"))}
    clean |= {"HOME": str(folder / "home"), "COLUMNS": "200"}
    with hub(tft, folder, clean) as url, endpoint.serving() as server:
        environment = clean | server.environment | {"HF_ENDPOINT": url, "HF_TOKEN": TOKEN}

        def run(*words: object) -> None:
            sys.stderr.write(f"$ {' '.join(map(str, words))}\n")
            subprocess.run([str(word) for word in words], cwd=folder, env=environment, check=True)

        datasets_and_models(run, tft, python, folder)
        evaluations(run, python, folder)
        cached_answers(run, tft)
        interrupted([str(tft), *INTERRUPTED], folder, environment, server)
        said(tft, folder, environment, url)


def datasets_and_models(run: Callable[..., None], tft: Path, python: Path, folder: Path) -> None:
    """Run the benchmark on a job folder up to its trained models, from a student whose weights are zeros."""
    run(python, "-c", JOB, "job")
    (folder / "preset.yaml").write_text(PRESET)
    run(tft, *BENCHMARK, "--until", "collect")
    student = ("--params", "92K", "--vocabulary", "300", "--task", "ada/sample-testset", "--learnable")
    run(tft, "student", "create", "ada/small", *student, "--no-push", "--out", "student")
    run(python, "-c", STUDENT, "student")
    run(tft, *BENCHMARK, "--until", "train")


def evaluations(run: Callable[..., None], python: Path, folder: Path) -> None:
    """Evaluate recorded answers twice, the right ones and worse ones, with verdicts: two results and their cards."""
    run(python, "-c", SMALL_PLOTS, *ANSWERED, "--out", "runs/endpoint")
    rows = [json.loads(line) for line in (folder / "runs/endpoint/data/test.jsonl").read_text().splitlines()]
    for name, wrong in (("gold", 0), ("worse", 3)):
        texts = ("no idea" if number % 5 < wrong else row["reference"] for number, row in enumerate(rows))
        answers = ({"pair_id": row["pair_id"], "raw": text} for row, text in zip(rows, texts, strict=True))
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(answer) + "\n" for answer in answers))
        replay = ("evaluate", f"replay:{name}.jsonl", "--dataset", "ada/sample-testset", "--judge", "rules:judge")
        run(python, "-c", SMALL_PLOTS, *replay, "--out", f"runs/{name}")


JUDGED = (
    *("judge", "runs/worse/data/test.jsonl", "--dataset", "ada/sample-testset", "--ask-everything"),
    *("--judge", "openai:judge", "--judge-base-url", endpoint.BASE_URL, "--judge-cache", "cache"),
)
RATED = (
    *("filter", "ada/sample-traces", "--job", "job", "--teacher", "openai:teacher", "--base-url", endpoint.BASE_URL),
    *("--cache", "cache"),
)
ANSWERED = (
    *("evaluate", "openai:model", "--base-url", endpoint.BASE_URL, "--dataset", "ada/sample-testset"),
    *("--max-tokens", "64"),
)
INTERRUPTED = (*ANSWERED, "--no-push", "--concurrency", "1", "--out", "runs/interrupted", "--resume")


SAID = {
    "lineage-model.json": ("lineage", "ada/sample-tft-small", "--json"),
    "lineage-model-row.json": ("lineage", "ada/sample-direct-small", "--row", "sample-0000", "--json"),
    "lineage-synthetic-row.json": ("lineage", "ada/sample-synthetic", "--row", "syn-0000", "--json"),
    "lineage-results.json": ("lineage", "ada/tft-benchmark-results", "--json"),
    "lineage-result-row.json": (
        *("lineage", "ada/tft-benchmark-results", "--row", "replay-worse.jsonl/test-0000:1", "--json"),
    ),
    "compare.json": ("compare", "runs/gold", "runs/worse", "--json"),
    "agreement.json": ("agreement", "judged.jsonl", "--label", "label", "--json"),
    "traces.json": ("inspect-traces", "ada/sample-filtered", "--json"),
}


def said(tft: Path, folder: Path, environment: dict[str, str], url: str) -> None:
    """Keep what is printed about all this."""
    (folder / "said").mkdir()
    for name, words in SAID.items():
        sys.stderr.write(f"$ tft {' '.join(words)}\n")
        done = subprocess.run([tft, *words], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        (folder / "said" / name).write_text(done.stdout.replace(url, "HUB"))


def cached_answers(run: Callable[..., None], tft: Path) -> None:
    """Pay a judge and a teacher behind an endpoint, and keep their answers."""
    run(tft, *JUDGED, "--out", "judged.jsonl")
    run(tft, *RATED, "--out", "rated")


def interrupted(command: Sequence[str], folder: Path, environment: dict[str, str], server: Any) -> None:
    """Kill an evaluation once it has its first answers."""
    server.asked.clear()
    server.most = BEFORE_THE_KILL
    log = folder / "runs" / "interrupted" / "answers.jsonl"
    with subprocess.Popen(command, cwd=folder, env=environment) as process:
        while not log.is_file() or log.read_bytes().count(b"\n") < BEFORE_THE_KILL:
            assert process.poll() is None, "it ended"
            time.sleep(0.05)
        process.kill()


def main() -> None:
    """Write the archive."""
    python, work, out = (Path(argument).absolute() for argument in sys.argv[1:4])
    write(python, work)
    with tarfile.open(out, "w:xz") as archive:
        for name in KEPT:
            archive.add(work / name, name, filter=_anonymous)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    main()
