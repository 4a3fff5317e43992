"""Where a result goes: it takes the place of an earlier one, which is not lost on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.hub.client import Hub
from harness.hub.lineage import LINEAGE, Lineage
from harness.stages._result import OutputTarget, deliver, produce

HUB = Hub("http://127.0.0.1:9", token=False)


def _deliver(out: Path, version: int) -> None:
    lineage = Lineage(stage="filter", version=version, config={}, inputs=())
    place = OutputTarget(out=out)

    def write(folder: Path) -> dict[str, int]:
        return {"characters": (folder / f"row{version}").write_text("kept", encoding="utf-8")}

    assert produce(lineage, HUB, place, write).folder == out


@pytest.mark.parametrize("out", [".", "made", "deep/made", "../here", "link"])
def test_a_result_takes_the_place_of_an_earlier_one_and_nothing_else_stays(
    out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "target").mkdir()
    monkeypatch.chdir(here)
    if out == "link":
        (here / out).symlink_to(tmp_path / "target")
    for version in (1, 2):
        _deliver(Path(out), version)
        assert sorted(path.name for path in Path(out).iterdir()) == [LINEAGE, f"row{version}"]
    assert Path.cwd() == here
    assert here.samefile(".")
    assert not list(tmp_path.rglob(".*"))


def test_an_earlier_result_is_still_there_where_the_new_one_cannot_be_moved(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    out = folder / "out"  # no folder can be moved into itself
    folder.mkdir()
    _deliver(out, 1)
    lineage = Lineage(stage="filter", version=2, config={}, inputs=())
    with pytest.raises(OSError, match="out"):
        deliver(folder, lineage, HUB, OutputTarget(out=out))
    assert [path.parent.parent for path in folder.rglob("row1")] == [folder]
    assert (folder / LINEAGE).is_file()
