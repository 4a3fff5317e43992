"""What holds for all tests: they start from the same place whoever starts them, and none sees what another one set."""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:  # what reads the environment on import is imported by what needs it
    from harness.data.records import Task
    from harness.data.scenarios import CleanTraces

ROOT = Path(__file__).resolve().parent.parent
SOURCES = os.environ.get("TFT_SOURCES")
# Where programs and libraries are, and how this machine computes. The rest of a caller's environment (tokens,
# endpoints, proxies, options of `tft`, colours, widths, a git hook's repository) would decide what tests see.
KEPT = re.compile(
    r"PATH|HOME|USER|LOGNAME|TMPDIR|TZ|LANG|LANGUAGE|CC|CXX|TFT_SOURCES"
    r"|(LC|LD|DYLD|PYTHON|PYTEST|COV|COVERAGE|CUDA|NVIDIA|NCCL|OMP|MKL|TORCH|TRITON|VLLM)_?.*"
)


def _start() -> tempfile.TemporaryDirectory[str] | None:
    """Give the tests a home without tokens, caches and settings, and Ctrl-C also where a shell has it ignored.

    It happens on import, because the next conftest may import a library that reads the environment there.
    """
    home = None
    kept = {name: value for name, value in os.environ.items() if KEPT.fullmatch(name)}
    if "PYTEST_XDIST_WORKER" not in os.environ:  # a worker has both from the process that starts it
        home = tempfile.TemporaryDirectory(prefix="tft-tests-", ignore_cleanup_errors=True)
        kept["HOME"] = home.name
        # What a shell starts in the background has SIGINT ignored, and under nohup SIGHUP; every process that a test
        # starts would inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    kept = _share() | kept
    os.environ.clear()
    os.environ.update(kept)
    for name in ("COLUMNS", "LINES"):  # pytest imports readline, which sets them past os.environ
        os.unsetenv(name)
    return home


def _share() -> dict[str, str]:
    """Return the variables that keep a worker's computing to its share of the cores; none where it works alone.

    Threads that wait for one another while other workers compute on their cores take several times as long. An engine
    by itself would take the same cores in every worker.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers == 1:
        return {}
    number = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
    cores = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else list(range(os.cpu_count() or 1))
    own = cores[number % len(cores) :: workers]
    threads = {"OMP_NUM_THREADS": str(len(own))}
    return threads | ({"VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, own))} if sys.platform == "linux" else {})


_HOME = _start()
pytest.register_assert_rewrite("support")
# How long an example takes says how busy the machine is.
settings.register_profile("tft", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tft")


def pytest_configure(config: pytest.Config) -> None:
    if _HOME:
        config.add_cleanup(_HOME.cleanup)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files start first, so that no process is left with one of them when the others have ended.

    Those with slow tests, then those with a Hub, whose tests also start programs.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    with_hub = {item.path for item in items if {"hub", "server"} & set(getattr(item, "fixturenames", ()))}
    items.sort(key=lambda item: (item.path not in slow, item.path not in with_hub))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Connecting to a Hub sets variables that others read: no test sees those of another one, or of its fixtures.

    The folder of the sources reaches a test by the fixture only: what needs no sources runs the same with them.
    """
    before = dict(os.environ)
    os.environ.pop("TFT_SOURCES", None)
    try:
        return (yield)
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def sources() -> Path:
    """The folder of real input files; tests that need it are skipped without TFT_SOURCES."""
    if not SOURCES:
        pytest.skip("needs the source files: set TFT_SOURCES, see `tft sources fetch`")
    return (ROOT / SOURCES).resolve()


@pytest.fixture(scope="session")
def dialogues(sources: Path) -> CleanTraces:
    """The clean traces that the published scenarios are made of."""
    from harness.data.scenarios import read_dialogues
    from harness.data.sources import locate

    return read_dialogues(locate(sources))


@pytest.fixture(scope="session")
def published_task(sources: Path) -> Task:
    """The task of the published scenarios, from its job description."""
    from harness.data.formats.task import read_task

    return read_task(sources / "tft-benchmark" / "job_description.json")


@pytest.fixture(scope="session")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 0.4M random weights with its tokenizer and chat template, as files; nobody writes into the folder."""
    from harness.training.small_model import create_student, sample_texts

    folder = tmp_path_factory.mktemp("student")
    create_student(folder, texts=sample_texts(), parameters=400_000, vocabulary=600, context=4096)
    return folder
