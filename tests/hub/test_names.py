"""Names of what stages read and make: what is written is what is read, and fingerprints stay what they were."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DataError
from harness.hub.artifact import Artifact, FileInput, parse_input, split_revision
from harness.hub.lineage import Lineage

_HEX = "0123456789abcdef"
_NAME = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,12}", fullmatch=True)


@given(st.builds("{}/{}".format, _NAME, _NAME), st.text(_HEX, min_size=40, max_size=40))
def test_an_artifact_is_read_as_it_was_written(repo_id: str, revision: str) -> None:
    artifact = Artifact(kind="model", repo_id=repo_id, revision=revision)
    assert str(artifact) == f"{repo_id}@{revision}"
    assert Artifact.parse(str(artifact), "model") == artifact == parse_input(str(artifact), "model")
    assert split_revision(str(artifact)) == (repo_id, revision)


@given(st.text(min_size=1), st.text(_HEX, min_size=64, max_size=64))
def test_a_file_is_read_as_it_was_written(name: str, sha256: str) -> None:
    found = parse_input(str(FileInput(name=name, sha256=sha256)))
    assert found == FileInput(name=name, sha256=sha256) or "\n" in name


@pytest.mark.parametrize(
    "text",
    ["", "a/b", "a/b@main", f"a/b@{'0' * 39}", f"a/b@{'A' * 40}", f"a@b@{'0' * 40}", f"a/b/c@{'0' * 40}", "openai:x"],
)
def test_what_names_no_commit_is_no_artifact(text: str) -> None:
    assert parse_input(text) is None
    with pytest.raises(DataError, match="expected owner/name@"):
        Artifact.parse(text, "dataset")


def test_a_file_is_named_by_the_hash_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "traces.jsonl").write_bytes(b"one\n")
    found = FileInput.of(tmp_path / "traces.jsonl")
    assert (found.name, found.sha256) == ("traces.jsonl", hashlib.sha256(b"one\n").hexdigest())
    with pytest.raises(DataError, match="cannot read"):
        FileInput.of(tmp_path / "missing.jsonl")


def test_a_name_without_a_revision_means_main() -> None:
    assert split_revision("owner/name") == ("owner/name", None)
    assert split_revision("owner/name@") == ("owner/name", None)
    assert split_revision("owner/name@v1") == ("owner/name", "v1")


def test_fingerprints_are_those_of_what_is_published() -> None:
    made = Lineage(
        stage="filter",
        version=4,
        config={"teacher": {"name": "rules:rater"}, "arm": "tft", "threshold": 0.5, "names": ["ä", None]},
        inputs=(str(Artifact(kind="dataset", repo_id="me/traces", revision="1" * 40)), f"task.json@sha256:{'2' * 64}"),
        seed=7,
        extra={"counts": {"kept": 3}},
    )
    assert made.fingerprint() == "21a65fb28701"
    assert made.tag() == f"fp-{made.fingerprint()}"
