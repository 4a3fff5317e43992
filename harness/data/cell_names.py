"""The names of the benchmark's repositories: what a name says, and which name a cell has. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.data.scenarios import Arm

PREFIX = "tft-benchmark"
LEADERBOARD = f"{PREFIX}-leaderboard"
"""The Space with the leaderboard."""

_MODEL = re.compile(
    rf"{PREFIX}-s(?P<scenario>[0-9]+)-(?P<arm>tft|direct)(?P<fair>-fair)?"
    r"-(?P<student>[A-Za-z0-9][\w.-]*?)(?:-seed(?P<seed>[1-9][0-9]*))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellName:
    """One trained model of the benchmark, as its repository's name says it."""

    scenario: int
    arm: Arm
    student: str
    """The student's name without its owner."""
    fair: bool = False
    """Whether it is of the fair arms, where both pipelines see the same damage; see `--arms fair`."""
    seed: int = 0
    """Which repetition, from 0, which has no mark in the name."""

    @classmethod
    def parse(cls, repo_id: str) -> CellName | None:
        """Return what the name of a model repository (`owner/name` or `name`) says; None where it is none."""
        found = _MODEL.fullmatch(repo_id.rpartition("/")[2])
        if found is None:
            return None
        return cls(
            scenario=int(found["scenario"]),
            arm="tft" if found["arm"] == "tft" else "direct",
            student=found["student"],
            fair=found["fair"] is not None,
            seed=int(found["seed"] or 0),
        )

    def model(self, namespace: str) -> str:
        """Return the model repository: `<ns>/tft-benchmark-s<N>-<tft|direct>[-fair]-<student>[-seed<K>]`."""
        fair, seed = ("-fair" if self.fair else ""), (f"-seed{self.seed}" if self.seed else "")
        return f"{namespace}/{PREFIX}-s{self.scenario}-{self.arm}{fair}-{self.student}{seed}"
