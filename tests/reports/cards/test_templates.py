"""Templates print records and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from harness.cli.__main__ import tft
from harness.data import published_facts as figures
from harness.data.published_facts import published_facts
from harness.errors import DataError
from harness.reports import markdown_templates as markdown
from harness.resources import folder

FACTS = published_facts()
EXAMPLE = "distillabs/tft-benchmark-s2-tft-Qwen3-1.7B"


def test_the_committed_example_is_what_the_command_prints() -> None:
    result = CliRunner().invoke(tft, ["card", EXAMPLE, "--published"])
    assert result.exit_code == 0
    assert result.stdout == (folder("model_cards") / "example.md").read_text(encoding="utf-8")


def test_every_section_is_declared_and_every_declared_section_exists() -> None:
    declared = yaml.safe_load((folder("model_cards") / "order.yaml").read_text(encoding="utf-8"))
    files = {path.name.removesuffix(".md.jinja") for path in (folder("model_cards") / "sections").iterdir()}
    assert set(declared) == {"benchmark", "trained", "other"}
    sections = [one for order in declared.values() for one in order]
    folded = [one for part in sections if isinstance(part, dict) for names in part.values() for one in names]
    assert {*folded, *(one for one in sections if isinstance(one, str))} == files


def test_templates_hold_no_figures() -> None:
    """Numbers come from records: a digit in a template's text is one of a few names and limits."""
    allowed = re.compile(
        r"95 %|SHA-256|utf-8|max_new_tokens=256|answer\[0, prompt|shape\[1\]|from 0 to 1|from 1 to 5|counted as 0|AC1"
        r"|http://127\.0\.0\.1:8000/v1|`temperature` 0|qwen2|qwen3|--port 8080|choices\[0\]"
    )
    for path in (folder("model_cards") / "sections").iterdir():
        text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.findall(r"\d", allowed.sub("", text)), path.name


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("{{ unknown }}", "UndefinedError"),
        ("{{ fact.unknown }}", "UndefinedError"),
        ("{{ nothing }}", "ValueError"),
        ("{{ fact.__class__.__mro__ }}", "SecurityError"),
        ("{{ items.append(1) }}", "SecurityError"),
    ],
)
def test_templates_cannot_print_what_is_not_there_or_leave_the_sandbox(source: str, error: str) -> None:
    env = markdown.environment(folder("model_cards") / "sections")
    with pytest.raises(Exception, match=r".*") as caught:
        env.from_string(source).render(fact=FACTS.arms["tft"], nothing=None, items=[])
    assert type(caught.value).__name__ == error


def test_unknown_keys_in_the_published_figures_are_refused(tmp_path: Path) -> None:
    values = yaml.safe_load((folder("model_cards") / "published.yaml").read_text(encoding="utf-8"))
    values["colour"] = "blue"
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(DataError, match="colour"):
        figures.load_published(tmp_path / "bad.yaml")
