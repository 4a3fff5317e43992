"""`tft run`: the commands of the cells."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import click
import pytest

from harness.cells import Cell, Setup, read_preset, steps
from harness.cli import tft as command
from harness.errors import UsageError
from harness.scenarios import ARMS

PRESETS = ("published", "tiny")


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("scenario", ["s1", "s2", "s3", "s4", "s5"])
def test_every_command_of_every_cell_can_be_parsed_and_reads_what_the_one_before_makes(
    scenario: str, arm: str, preset: str
) -> None:
    plan = steps(Cell.parse(scenario, arm), Setup(namespace="me", preset=read_preset(preset)))
    for step in plan:
        context = click.Context(command, info_name="tft", **command.context_settings)
        name, verb, rest = command.resolve_command(context, list(step.words))
        assert verb is not None
        while isinstance(verb, click.Group):
            context = click.Context(verb, parent=context, info_name=name)
            name, verb, rest = verb.resolve_command(context, rest)
            assert verb is not None
        verb.make_context(name, list(rest), parent=context)  # raises for an unknown or malformed option
    for before, after in pairwise(plan):
        assert before.makes in after.words
    expected = ("corrupt", "filter", "relabel", "synthesize", "train", "evaluate")
    assert [step.stage for step in plan] == [stage for stage in expected if arm == "tft" or stage not in expected[1:4]]
    assert plan[-1].makes.startswith(f"me/tft-benchmark-{scenario}-{arm}-")


def test_the_published_preset_relabels_as_many_seeds_as_were_published() -> None:
    plan = steps(Cell.parse("s2", "tft"), Setup(namespace="me", preset=read_preset("published")), until="relabel")
    assert plan[-1].words[plan[-1].words.index("--seeds") + 1] == "90"


@pytest.mark.parametrize(("scenario", "arm"), [("s6", "tft"), ("two", "tft"), ("s2", "both")])
def test_an_unknown_cell_is_refused(scenario: str, arm: str) -> None:
    with pytest.raises(UsageError, match="known are"):
        Cell.parse(scenario, arm)


def test_an_unknown_stage_or_preset_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    setup = Setup(namespace="me", preset=read_preset("tiny"))
    with pytest.raises(UsageError, match="it has corrupt, train, evaluate"):
        steps(Cell.parse("s2", "direct"), setup, until="relabel")
    with pytest.raises(UsageError, match="published, tiny"):
        read_preset("huge")
    file = tmp_path / "mine.yaml"
    file.write_text("student: me/x\nepoch: 3\n", encoding="utf-8")
    with pytest.raises(UsageError, match="settings are summary, student"):
        read_preset(str(file))
