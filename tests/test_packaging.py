"""The wheel: complete on its own, outside a checkout, without shadowing the library `datasets`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from datetime import date
from pathlib import Path

import pytest
import yaml

from harness import resources
from harness.data.formats.calls import parse_call
from harness.errors import UsageError
from harness.evaluation.metrics import metric_names
from harness.models import parsing
from support import ada
from support.sample_test_set import write_test_set

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("datasets", "eval", "model_cards")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    return built


def _environment(folder: Path, *package: str) -> Path:
    """Return the `bin` folder of a fresh environment: the package, and this environment's libraries behind it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    [site] = (folder / "lib").glob("python*/site-packages")
    # A path line adds the folder, but not the path files in it: the checkout stays unknown.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    options = ("--quiet", "--offline", "--no-deps", "--no-build-isolation", "--python", str(python))
    subprocess.run([sys.executable, "-m", "uv", "pip", "install", *options, *package], check=True, capture_output=True)
    return python.parent


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment with the wheel."""
    return _environment(tmp_path_factory.mktemp("environment"), str(wheel))


def _data(folder: Path) -> set[str]:
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in files if "__pycache__" not in path.parts and not path.name.startswith(".")}


def test_the_wheel_installs_one_top_level_package(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"harness"}


def test_the_wheel_says_that_it_is_typed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        assert "harness/py.typed" in files.namelist()
        [metadata] = [name for name in files.namelist() if name.endswith(".dist-info/METADATA")]
        assert "\nClassifier: Typing :: Typed\n" in files.read(metadata).decode()


def test_the_package_the_changelog_and_the_citation_name_one_version() -> None:
    """The changelog has what is unreleased, and below it the versions with their dates, newest first."""
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", heading) for heading in headings[1:]]
    dated = [(tuple(map(int, one[1].split("."))), date.fromisoformat(one[2])) for one in released if one]
    assert len(dated) == len(released) > 0
    assert dated == sorted(dated, reverse=True)
    version = ".".join(map(str, dated[0][0]))
    assert version == tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert version == yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"]


@pytest.mark.parametrize("name", FOLDERS)
def test_the_wheel_carries_every_file_of_the_folders(wheel: Path, name: str) -> None:
    start = f"harness/_resources/{name}/"
    carried = {entry.removeprefix(start) for entry in zipfile.ZipFile(wheel).namelist() if entry.startswith(start)}
    assert carried == _data(ROOT / name)
    assert carried


def test_an_installed_tft_runs_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run([str(installed / "tft"), "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "student" in done.stdout


def test_the_installed_package_reads_its_own_folders(installed: Path, tmp_path: Path) -> None:
    code = (
        "import json, datasets, harness\n"
        "from harness.resources import folder\n"
        "from harness.data.sample import sample_conversations\n"
        "from harness.data.tasks import write_test_set\n"
        "from pathlib import Path\n"
        "write_test_set(Path('out'), sample_conversations(4), task=b'{}')\n"
        f"print(json.dumps([harness.__file__, datasets.__version__, *[str(folder(name)) for name in {FOLDERS!r}]]))\n"
    )
    run = [str(installed / "python"), "-W", "ignore", "-c", code]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True)
    package, _version, *folders = json.loads(done.stdout)
    assert not Path(package).is_relative_to(ROOT)
    assert [Path(folder) for folder in folders] == [Path(package).parent / "_resources" / name for name in FOLDERS]
    assert (tmp_path / "out" / "job_description.json").is_file()


@pytest.mark.parametrize("name", FOLDERS)
def test_a_checkout_reads_the_folders_beside_the_package(name: resources.FolderName) -> None:
    assert resources.folder(name) == ROOT / name


def test_a_folder_that_is_nowhere_is_an_error_with_a_next_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "harness")
    with pytest.raises(UsageError, match="install tft-harness again"):
        resources.folder("eval")


INSPECT = """
import json, sys
from inspect_ai._cli.main import main
from inspect_ai.log import read_eval_log
from pathlib import Path
import harness

for words in json.loads(sys.argv[1]):
    sys.argv[1:] = [word.replace("LOG", next(map(str, Path("logs").glob("*.eval")), "")) for word in words]
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code
    log = read_eval_log(str(next(Path("logs").glob("*.eval"))))
    metrics = {one.name: {name: metric.value for name, metric in one.metrics.items()} for one in log.results.scores}
    said = [log.status, log.eval.task, log.eval.task_file, log.eval.model, metrics]
    print(json.dumps([harness.__file__, [one.name for one in log.eval.scorers], said]))
"""


@pytest.mark.slow
def test_inspect_says_the_same_names_from_a_wheel_and_from_a_checkout(
    installed: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One command, run and scored again in each: equal logs but for where the package is."""
    pytest.importorskip("inspect_ai")
    checkout = _environment(tmp_path / "checkout", "-e", str(ROOT))
    folder = tmp_path_factory.mktemp("sample")
    write_test_set(folder, 1)
    rows = [json.loads(line) for line in (folder / "data" / "pairs" / "test.jsonl").read_text().splitlines()]
    users = "users:\n  - {name: ada, tokens: [{token: hf_ada_write, role: write}]}\n"
    found = []
    with ada.serving(tmp_path_factory.mktemp("hub"), users) as hub:
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        ada.push(ada.client(hub), "ada/sample", files, kind="dataset")
        for place in (installed, checkout):
            here = tmp_path / place.parent.name / "run"
            here.mkdir(parents=True)
            answers = [{"pair_id": row["id"], "raw": parsing.canonical(parse_call(row["reference"]))} for row in rows]
            (here / "answers.jsonl").write_text("".join(json.dumps(answer) + "\n" for answer in answers))
            words = ["eval", "tft/benchmark", "--model", "tft/replay:answers.jsonl", "-T", "dataset=ada/sample"]
            told = [words, ["score", "LOG", "--action", "overwrite", "--overwrite"]]
            environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_ada_write", "HF_HOME": str(here)}
            environment |= {"INSPECT_LOG_DIR": "logs", "INSPECT_DISPLAY": "none"}
            run = [str(place / "python"), "-c", INSPECT, json.dumps(told)]
            done = subprocess.run(run, cwd=here, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            found.append([json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")])
    assert [Path(one[0][0]).is_relative_to(ROOT) for one in found] == [False, True]
    (evaluated, again), (evaluated_here, again_here) = ([one[1:] for one in each] for each in found)
    assert evaluated == again == evaluated_here == again_here
    assert evaluated[0] == [f"tft/{metric}" for metric in metric_names()]
    assert evaluated[1][:4] == ["success", "tft/benchmark", None, "tft/replay:answers.jsonl"]
