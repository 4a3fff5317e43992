"""The report's files show the summary's figures, escape what others wrote, and are the same bytes every time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.benchmark.record import CellRecord
from harness.benchmark.report.build import draw
from harness.benchmark.report.write import write_files
from harness.errors import DataError

JUDGE = "llm-as-a-judge"
HOSTILE = "loss | is <script>alert(1)</script> [x](javascript:alert(2)) `|` \u202e\n# heading"
Made = Callable[..., Any]


class Page(HTMLParser):
    """A page as its tags with attributes, and its tables as rows of texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("th", "td"):
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.tables[-1][-1][-1] += data


def _markdown_tables(text: str) -> list[list[list[str]]]:
    """Return the tables of a Markdown text, rows of cells without their markup."""
    tables, last = [], False
    for line in text.splitlines():
        if line.startswith("|"):
            if not last:
                tables.append([])
            cells = [
                re.sub(r"\[([^]\[]*)\]\([^)]*\)|\\(.)", r"\1\2", cell).strip()
                for cell in re.split(r"(?<!\\)\|", line)[1:]
            ]
            tables[-1].append(cells)
        last = line.startswith("|")
    return tables


@pytest.fixture
def written(summary: Made, tmp_path: Path) -> Made:
    """Write the report of these files, and return its folder with the summary."""

    def write(found: Any, name: str = "report") -> tuple[Path, Any]:
        made = draw(summary(found), tmp_path / name)
        write_files(made, tmp_path / name)
        return tmp_path / name, made

    return write


def test_all_files_show_the_same_figures(files: Made, written: Made, ten: list[Any]) -> None:
    out, made = written(files(*ten))
    figures = json.loads((out / "results.json").read_text())
    page = Page((out / "index.html").read_text())
    shown = _markdown_tables((out / "RESULTS.md").read_text())
    for place, metric in enumerate((JUDGE, "staged_tool_call")):
        rows = figures["tables"][0]["rows"]
        for row, line, cells in zip(rows, shown[place][2:], page.tables[place][1:], strict=True):
            for column, arm in enumerate(("tft", "direct"), start=1):
                one = row[arm]["scores"][metric]
                expected = f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"
                assert line[column] == expected
                assert cells[column].split()[:3] == expected.split()
            contrast = row["contrasts"][metric]
            difference = f"{100 * contrast['difference']['value']:+.1f}".replace("-", "−")
            assert line[3].split()[0] == cells[3].split()[0] == difference
            ahead = "≈" if contrast["tie"] else "TFT" if contrast["difference"]["value"] > 0 else "Direct"
            assert line[5] == cells[5].split()[0] == ahead
    assert "0.844" in shown[0][3][6]
    assert made.verdict.sentences[0] in (out / "README.md").read_text().replace("\\", "")


def test_every_figure_names_what_it_was_computed_from(files: Made, written: Made, ten: list[Any]) -> None:
    out, made = written(files(*ten))
    figures = json.loads((out / "results.json").read_text())
    for row in figures["tables"][0]["rows"]:
        for arm in ("tft", "direct"):
            (run,) = row[arm]["runs"]
            for score in row[arm]["scores"].values():
                (origin,) = score["computed_from"]
                assert origin["model"] == f"{run['model']}@{run['revision']}"
                assert origin["rows"] == f"ada/tft-benchmark-results@{'e' * 40}:data/{run['config']}/test.jsonl"
                assert origin["fingerprint"] == run["fingerprint"]
                assert origin["lineage"] == f"tft lineage {run['model']}"
        assert all(len(one["computed_from"]) == 2 for one in row["contrasts"].values())
    links = {attributes.get("href") for tag, attributes in Page((out / "index.html").read_text()).tags if tag == "a"}
    for row in made.main.rows:
        for cell in row.cells:
            assert f"https://hub.example/{cell.done[0].model}/tree/{cell.done[0].revision}" in links


def test_the_same_results_give_the_same_bytes(files: Made, written: Made, ten: list[Any]) -> None:
    first, second = (written(files(*ten), name)[0] for name in ("first", "second"))
    contents = [
        {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
        for out in (first, second)
    ]
    assert contents[0] == contents[1]
    assert {"RESULTS.md", "results.json", "index.html", "README.md", "plots/dumbbell.png"} <= set(contents[0])


def test_what_others_wrote_is_text(files: Made, written: Made, record: Made, ten: list[Any]) -> None:
    fields: dict[str, Any] = {"arm": "direct", "fair": False, "seed": 0, "stage": "train", "problem": HOSTILE}
    failed = [
        CellRecord(scenario="s2", model='ada/"><img src=x onerror=alert(3)>', status="failed", **fields),
        CellRecord(scenario="<b>job</b> | [y](z)", model="ada/job", status="failed", **fields),
    ]
    out, _ = written({**files(*ten[:3]), **record(ten[:3], failed)})
    page = Page((out / "index.html").read_text())
    names = [tag for tag, _ in page.tags]
    assert (names.count("script"), names.count("b"), names.count("h1")) == (1, 0, 1)
    assert names.count("img") == len(list((out / "plots").glob("*.png")))
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    assert any("alert(1)" in cell for table in page.tables for line in table for cell in line)
    text = (out / "RESULTS.md").read_text()
    assert "<script" not in text
    assert "<b>" not in text
    assert "\u202e" not in text + (out / "index.html").read_text()
    assert not re.search(r"(?<!\\)\]\((?!https?://|plots/|results\.json)", text)
    assert not [line for line in text.splitlines() if line.startswith("# ")][1:]
    widths = {len(line) for line in _markdown_tables(text)[0]}
    assert len(widths) == 1  # no cell of the table was broken in two


def test_failed_and_missing_cells_are_shown(files: Made, written: Made, record: Made, ten: list[Any]) -> None:
    fields: dict[str, Any] = {"scenario": "s2", "arm": "direct", "fair": False, "seed": 0, "model": ten[3].name}
    failed = CellRecord(**fields, status="failed", stage="train", problem="no memory left")
    out, _ = written({**files(*ten[:3]), **record(ten[:3], [failed])})
    for text in ((out / "RESULTS.md").read_text(), (out / "index.html").read_text()):
        assert "failed at train" in text
        assert "no memory left" in text
        assert "not run" in text
    shown = _markdown_tables((out / "RESULTS.md").read_text())[0]
    assert shown[3][2:6] == ["failed at train", "–", "–", "–"]
    assert shown[6][1:3] == ["not run", "not run"]


def test_a_run_without_any_result_is_reported_all_the_same(written: Made, record: Made, ten: list[Any]) -> None:
    fields: dict[str, Any] = {"scenario": "s2", "arm": "direct", "fair": False, "seed": 0, "model": ten[3].name}
    failed = CellRecord(**fields, status="failed", stage="train", problem="no memory left")
    out, made = written(record([], [failed]))
    assert made.pictures == ()
    assert "S2 has no comparison: TFT not run, Direct failed at train." in (out / "RESULTS.md").read_text()


def test_the_page_loads_nothing_from_outside_and_its_code_is_the_one_it_allows(
    files: Made, written: Made, ten: list[Any]
) -> None:
    out, made = written(files(*ten))
    page = Page((out / "index.html").read_text())
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed")
        if "src" in attributes:
            assert (out / str(attributes["src"])).is_file()
        assert "style" not in attributes
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert {image["alt"] for image in images} == {picture.alt for picture in made.pictures}
    (policy,) = [attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes]
    assert str(policy).startswith("default-src 'none'")
    assert "unsafe" not in str(policy)


def test_the_card_of_the_space_has_what_the_hub_asks_for(files: Made, written: Made, ten: list[Any]) -> None:
    out, _ = written(files(*ten))
    card = (out / "README.md").read_text()
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["sdk"] == "static"
    assert front["models"] == sorted(one.name for one in ten)
    assert front["datasets"] == ["ada/tft-benchmark-results", "ada/tft-benchmark-testset"]
    assert len(front["short_description"]) <= 60


def test_a_damaged_results_file_is_named(files: Made, summary: Made, ten: list[Any]) -> None:
    path = next(iter(files(ten[0])))
    with pytest.raises(DataError, match=r"\.json"):
        summary({**files(ten[0]), path: "{"})
