"""The page about Actions: what is there to be copied is valid, and asks our workflows only for what they take."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.cli.__main__ import tft

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "actions.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
OURS = re.compile(r"OWNER/tft-harness/(\.github/[\w./-]+)@v1")

Load = Callable[[Path], dict[str, Any]]


@pytest.fixture
def callers(tmp_path: Path, load_yaml: Load) -> list[dict[str, Any]]:
    files = [tmp_path / f"{place}.yml" for place in range(len(BLOCKS))]
    for file, text in zip(files, BLOCKS, strict=True):
        file.write_text(text)
    command = [Path(sys.executable).parent / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return [load_yaml(file) for file in files]


def calls(documents: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for document in documents:
        yield from (job for job in document["jobs"].values() if "uses" in job)


def test_every_workflow_has_an_example_that_it_accepts(callers: list[dict[str, Any]], load_yaml: Load) -> None:
    shown = set()
    for call in calls(callers):
        found = OURS.fullmatch(call["uses"])
        assert found
        shown.add(Path(found[1]).stem)
        called = load_yaml(ROOT / found[1])
        declared = called["on"]["workflow_call"]
        assert set(call.get("with", {})) <= set(declared["inputs"])
        assert set(call.get("secrets", {})) <= set(declared.get("secrets", {}))
        for job in called["jobs"].values():
            assert job["permissions"].items() <= call["permissions"].items(), "GitHub starts no job with less"
    assert shown == {"evaluate", "gate", "cards", "publish"}


def test_the_action_and_every_input_by_hand_exist(callers: list[dict[str, Any]], load_yaml: Load) -> None:
    steps = [step for document in callers for job in document["jobs"].values() for step in job.get("steps", ())]
    used = [step for step in steps if OURS.fullmatch(step.get("uses", ""))]
    assert used
    for step in used:
        action = load_yaml(ROOT / OURS.fullmatch(step["uses"])[1] / "action.yml")  # type: ignore[index]
        assert set(step.get("with", {})) <= set(action["inputs"])


def test_what_the_page_says_can_be_set_is_read_somewhere() -> None:
    workflows = "".join(path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yml"))
    table = PAGE[PAGE.index("| name | kind | for |") : PAGE.index("Secrets belong")]
    named = {
        (name, "vars" if kind.startswith("variable") else "secrets")
        for names, kind in re.findall(r"^\| (`.*?`) \| (\w+) \|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    }
    assert {name for name, _ in named} == set(re.findall(r"(?:vars|secrets)\.(\w+)", workflows))
    assert all(f"{context}.{name}" in workflows for name, context in named)


def test_the_commands_of_the_page_exist() -> None:
    for name in set(re.findall(r"`?tft ([a-z]+) ", PAGE)):
        assert name in tft.list_commands(None), name  # type: ignore[arg-type]
