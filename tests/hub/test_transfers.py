"""Large files on their way to and from a Hub are told on stderr, small ones are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.hub.artifact import RepositoryName
from harness.hub.client import Hub
from harness.hub.transfers import LARGE
from harness.hubd.embedded import running


def test_large_files_say_how_far_they_are_and_small_ones_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(LARGE + (1 << 20)))
    with running(tmp_path / "root") as embedded:
        hub = Hub(embedded.url, embedded.token, cache=tmp_path / "cache")
        place = RepositoryName(kind="model", repo_id="local/a")
        hub.create(place, private=None)
        capsys.readouterr()

        hub.commit_files("model", "local/a", {"small.txt": "small"}, message="small")
        hub.pull(hub.resolve("model", "local/a"))
        assert capsys.readouterr() == ("", "")

        hub.commit_files("model", "local/a", {"large.bin": large}, message="large")
        out, said = capsys.readouterr()
        first, *_, last = said.splitlines()
        assert (out, first) == ("", "uploading to models/local/a: 0.0 MB of 34.6 MB")
        assert last.startswith("uploading to models/local/a: 34.6 MB of 34.6 MB (100 %), ")
        assert last.endswith(" in all; large.bin")

        artifact = hub.resolve("model", "local/a")
        assert (hub.pull(artifact) / "large.bin").read_bytes() == large.read_bytes()
        out, said = capsys.readouterr()
        first, *_, last = said.splitlines()
        assert out == ""
        assert first.startswith(f"downloading {artifact.short}: ")
        assert last.startswith(f"downloading {artifact.short}: 34.6 MB of 34.6 MB (100 %), ")

        hub.pull(artifact)
        assert capsys.readouterr() == ("", ""), "what is there already is no download"
        hub.fetch(artifact, "large.bin", tmp_path / "other")
        assert f"downloading large.bin of {artifact.short}: 34.6 MB of 34.6 MB" in capsys.readouterr().err
