"""The client of the Hub, against the embedded one: commits are resolved, pushes are whole, refusals are sentences."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import AccessDenied, CommitConflict, DataError, HubError, HubUnreachable, RepoNotFound, UsageError
from harness.hub.artifact import Artifact
from harness.hub.client import Hub
from harness.hub.lineage import Lineage, follow_data, read_lineage
from harness.hub.publishing import find_made, push_folder
from harness.hubd.embedded import EmbeddedHub, running
from harness.training.run_summary import read_roles

LINEAGE = Lineage(stage="collect", version=1, config={}, inputs=())
USERS = """
users:
  - {name: ada, tokens: [{token: hf_ada_write, role: write}, {token: hf_ada_read, role: read}]}
  - {name: bob, tokens: [{token: hf_bob_write}]}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    folder = tmp_path_factory.mktemp("hub")
    (folder / "users.yaml").write_text(USERS)
    with running(folder / "root", users=folder / "users.yaml") as found:
        yield found


@pytest.fixture
def connect(server: EmbeddedHub, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Hub]:
    """A client with this token, as the environment gives it."""

    def connect(token: str = "hf_ada_write") -> Hub:
        monkeypatch.setenv("HF_TOKEN", token)
        monkeypatch.setenv("HF_ENDPOINT", "")  # connecting sets it; this is undone after the test
        return Hub.connect(server.url)

    return connect


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "push" / "data").mkdir(parents=True)
    (tmp_path / "push" / "README.md").write_text("---\nlicense: mit\n---\nFirst\n")
    (tmp_path / "push" / "data" / "rows.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "push" / "lineage.json").write_text(json.dumps({**LINEAGE.dump(), "fingerprint": "0123456789ab"}))
    return tmp_path / "push"


@pytest.fixture
def pulled(server: EmbeddedHub, tmp_path: Path) -> Callable[..., Any]:
    """Evaluate an expression about `hub` where the Hub's cache is a fresh one: in another process."""

    def evaluate(expression: str) -> Any:
        code = f"import json\nfrom harness.hub.client import Hub\nhub = Hub.connect()\nprint(json.dumps({expression}))"
        own = {"HF_ENDPOINT": server.url, "HF_TOKEN": "hf_ada_write", "HF_HOME": str(tmp_path / "home")}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return evaluate


def test_branches_tags_and_commits_resolve_to_the_commit(connect: Callable[..., Hub], folder: Path) -> None:
    hub = connect()
    first = push_folder(hub, "dataset", "ada/resolved", folder, message="one", tags=["v1", "fp-abc"])
    (folder / "README.md").write_text("Second\n")
    second = push_folder(hub, "dataset", "ada/resolved", folder, message="two", tags=["fp-abc"])
    assert first.revision != second.revision
    assert hub.resolve("dataset", "ada/resolved") == hub.resolve("dataset", "ada/resolved", "main") == second
    assert hub.resolve("dataset", "ada/resolved", "v1") == first
    assert hub.resolve("dataset", "ada/resolved", first.revision) == first
    assert hub.find_tag("dataset", "ada/resolved", "fp-abc") == second  # a tag moves with the newest push
    assert hub.find_tag("dataset", "ada/resolved", "fp-none") is hub.find_tag("dataset", "ada/none", "v1") is None


def test_a_push_makes_the_repository_equal_to_the_folder_in_one_commit(
    connect: Callable[..., Hub], folder: Path
) -> None:
    hub = connect()
    first = push_folder(hub, "model", "ada/equal", folder, message="one")
    assert sorted(hub.files(first)) == [".gitattributes", "README.md", "data/rows.jsonl", "lineage.json"]
    (folder / "data" / "rows.jsonl").rename(folder / "data" / "other.jsonl")
    second = push_folder(hub, "model", "ada/equal", folder, message="two")
    assert sorted(hub.files(second)) == [".gitattributes", "README.md", "data/other.jsonl", "lineage.json"]
    assert sorted(hub.files(first)) == [".gitattributes", "README.md", "data/rows.jsonl", "lineage.json"]
    titles = [commit.title for commit in hub.api.list_repo_commits("ada/equal")]
    assert titles[:2] == ["two", "one"]


def test_a_push_never_replaces_what_the_harness_has_not_made(connect: Callable[..., Hub], folder: Path) -> None:
    hub = connect()
    hub.api.create_repo("ada/thesis")
    hub.api.upload_file(path_or_fileobj=b"mine", path_in_repo="thesis.txt", repo_id="ada/thesis")
    before = hub.resolve("model", "ada/thesis")
    with pytest.raises(UsageError, match="holds files that this harness has not made"):
        push_folder(hub, "model", "ada/thesis", folder, message="one")
    assert hub.resolve("model", "ada/thesis") == before
    hub.api.create_repo("ada/empty")
    hub.api.upload_file(path_or_fileobj=b"soon", path_in_repo="README.md", repo_id="ada/empty")
    assert push_folder(hub, "model", "ada/empty", folder, message="one")  # a description alone is nobody's work


def test_a_push_that_was_killed_before_its_tag_is_found_and_tagged(connect: Callable[..., Hub], folder: Path) -> None:
    hub = connect()
    assert find_made(hub, "dataset", "ada/killed", "0123456789ab") is None
    made = push_folder(hub, "dataset", "ada/killed", folder, message="one")
    assert find_made(hub, "dataset", "ada/killed", "ba9876543210") is None
    assert find_made(hub, "dataset", "ada/killed", "0123456789ab") == made
    assert hub.tags("dataset", "ada/killed") == {"fp-0123456789ab": made.revision}


@pytest.mark.parametrize("content", [b"{", b"\xff", b'{"stage": "filter", "fingerprint": "0123456789ab"}'])
def test_a_damaged_lineage_is_named_and_never_taken_for_none(
    connect: Callable[..., Hub], folder: Path, content: bytes
) -> None:
    hub = connect()
    (folder / "lineage.json").write_bytes(content)
    made = push_folder(hub, "dataset", "ada/damaged", folder, message="one")
    for read in (
        lambda: find_made(hub, "dataset", "ada/damaged", "0123456789ab"),
        lambda: read_lineage(hub, made),
        lambda: list(follow_data(hub, made)),
    ):
        with pytest.raises(
            DataError, match=rf"^lineage\.json of {made} cannot be read: .* run (its stage|that) again with --force"
        ):
            read()


@pytest.mark.parametrize("content", [b"{}", b"[]", b'{"parents": ["a"]}', b'{"stage": "poems"}'])
def test_a_lineage_of_somebody_elses_kind_is_none_of_ours(
    connect: Callable[..., Hub], folder: Path, content: bytes
) -> None:
    hub = connect()
    (folder / "lineage.json").write_bytes(content)
    made = push_folder(hub, "dataset", "ada/foreign", folder, message="one")
    assert find_made(hub, "dataset", "ada/foreign", "0123456789ab") is None
    assert read_lineage(hub, made) is None
    assert list(follow_data(hub, made)) == []
    assert read_roles(hub, str(made)) == {}


def test_data_is_followed_to_what_is_not_there_or_not_ours(connect: Callable[..., Hub], folder: Path) -> None:
    hub = connect()
    (folder / "lineage.json").unlink()
    raw = push_folder(hub, "dataset", "ada/raw", folder, message="raw")
    chain = [raw]
    for number, stage in enumerate(("filter", "relabel", "synthesize")):
        lineage = Lineage(stage=stage, version=1, config={}, inputs=(str(chain[-1]), f"me/task@{'0' * 40}"))
        (folder / "lineage.json").write_text(json.dumps(lineage.dump()))
        chain.append(push_folder(hub, "dataset", f"ada/chain-{number}", folder, message=stage))
    lineage = Lineage(stage="train", version=1, config={}, inputs=(f"me/student@{'0' * 40}", str(chain[-1])))
    (folder / "lineage.json").write_text(json.dumps(lineage.dump()))
    model = push_folder(hub, "model", "ada/chain-model", folder, message="train")
    assert [one for one, _ in follow_data(hub, model)] == [model, *reversed(chain[1:])]
    lineage = Lineage(stage="filter", version=1, config={}, inputs=(f"ada/gone@{'0' * 40}",))
    (folder / "lineage.json").write_text(json.dumps(lineage.dump()))
    alone = push_folder(hub, "dataset", "ada/alone", folder, message="filter")
    assert [record.lineage for _, record in follow_data(hub, alone)] == [lineage]


@pytest.mark.parametrize("private", [False, True])
def test_new_repositories_are_private_where_the_environment_says_so(
    connect: Callable[..., Hub], folder: Path, private: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFT_PRIVATE", "1" if private else "")
    hub = connect()
    push_folder(hub, "dataset", f"ada/private-{private}", folder, message="one")
    hub.ensure_dataset(f"ada/ensured-{private}")
    for name in ("private", "ensured"):
        assert hub.api.dataset_info(f"ada/{name}-{private}").private is private


def test_what_is_pulled_is_what_was_pushed_at_that_commit(
    connect: Callable[..., Hub], folder: Path, pulled: Callable[..., Any]
) -> None:
    hub = connect()
    first = push_folder(hub, "dataset", "ada/pulled", folder, message="one")
    hub.commit_files("dataset", "ada/pulled", {"README.md": "Second\n", "latin.txt": b"\xe9"}, message="two")
    at_first = f"hub.pull(hub.resolve('dataset', 'ada/pulled', {first.revision!r}), ['README.md'])"
    assert pulled(
        f"(lambda path: [sorted(p.name for p in path.iterdir()), (path / 'README.md').read_text()])({at_first})"
    ) == [
        ["README.md"],
        "---\nlicense: mit\n---\nFirst\n",
    ]
    texts = "[hub.read_text('dataset', repo, name) for repo, name in"
    assert pulled(f"{texts} [('ada/pulled', 'README.md'), ('ada/pulled', 'none'), ('ada/none', 'README.md')]]") == [
        "Second\n",
        None,
        None,
    ]


def test_a_commit_on_top_of_a_moved_branch_is_a_conflict(connect: Callable[..., Hub], folder: Path) -> None:
    hub = connect()
    first = push_folder(hub, "dataset", "ada/moved", folder, message="one")
    hub.commit_files("dataset", "ada/moved", {"a": "1"}, message="two", parent=first.revision)
    with pytest.raises(CommitConflict, match="someone else pushed"):
        hub.commit_files("dataset", "ada/moved", {"a": "2"}, message="three", parent=first.revision)


def test_a_pull_request_leaves_main_alone(connect: Callable[..., Hub], folder: Path) -> None:
    before = push_folder(connect(), "model", "ada/asked", folder, message="one")
    hub = connect("hf_bob_write")
    with pytest.raises(AccessDenied, match="bob has no write access"):
        hub.commit_files("model", "ada/asked", {"README.md": "Bob's"}, message="two")
    address = hub.commit_files("model", "ada/asked", {"README.md": "Bob's"}, message="two", create_pr=True)
    assert "/ada/asked/discussions/" in address
    assert hub.resolve("model", "ada/asked") == before


def test_the_right_to_write_is_known_before_writing(connect: Callable[..., Hub], folder: Path) -> None:
    """Asking to create a dataset that is there succeeds for anyone; only the check says who may write to it."""
    connect().ensure_dataset("ada/results")
    connect().ensure_dataset("ada/results")
    connect().check_writable("dataset", "ada/results")
    for token in ("hf_ada_read", "hf_bob_write"):
        for check in (Hub.ensure_dataset, lambda hub, name: hub.check_writable("dataset", name)):
            with pytest.raises(AccessDenied, match=r"ada/results: http.* refused .*403.* HF_TOKEN"):
                check(connect(token), "ada/results")
    with pytest.raises(RepoNotFound, match="ada/none was not found"):
        connect().check_writable("dataset", "ada/none")


def test_the_namespace_is_the_tokens_user_unless_named(
    connect: Callable[..., Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert connect().namespace() == "ada"
    assert connect("hf_bob_write").namespace() == "bob"
    assert connect("hf_bob_write").namespace("lab") == "lab"
    with pytest.raises(AccessDenied, match=r"token.*HF_TOKEN"):
        connect("hf_nobody_knows").namespace()


def test_a_hub_without_a_token_sends_none_and_names_the_variable_that_would_hold_it(
    connect: Callable[..., Hub], server: EmbeddedHub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFT_PRIVATE", "1")
    push_folder(connect(), "model", "ada/secret", folder, message="one")
    stranger = Hub(server.url, False, token_from="TFT_FROM_TOKEN")  # HF_TOKEN is Ada's
    assert stranger.token() is None
    with pytest.raises(RepoNotFound, match="if it is private set TFT_FROM_TOKEN"):
        stranger.resolve("model", "ada/secret")


def test_unknown_and_impossible_names_are_refused(connect: Callable[..., Hub], folder: Path) -> None:
    hub = connect()
    push_folder(hub, "model", "ada/named", folder, message="one")
    with pytest.raises(RepoNotFound, match="model ada/none was not found on http"):
        hub.resolve("model", "ada/none")
    with pytest.raises(RepoNotFound, match="model ada/named at revision 'v9': no such revision"):
        hub.resolve("model", "ada/named", "v9")
    with pytest.raises(RepoNotFound, match="dataset ada/named was not found"):
        hub.resolve("dataset", "ada/named")
    for name in ("a/b/c", "two words", "", "../x", "ada/"):
        with pytest.raises(UsageError, match="owner/name"):
            hub.resolve("model", name)
    with pytest.raises(RepoNotFound, match="no such revision"):
        hub.files(Artifact(kind="model", repo_id="ada/named", revision="0" * 40))


@pytest.mark.parametrize(
    "address", ["", "nonsense", "ftp://host", "http://", "http://[::1", "http://a b", "http://h:0"]
)
def test_what_is_no_address_is_refused_before_anything_is_sent(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    if not address:
        assert Hub.connect().endpoint == "https://huggingface.co"
        return
    with pytest.raises(UsageError, match=r"HF_ENDPOINT is .* expected https://host"):
        Hub.connect()
    with pytest.raises(UsageError, match=r"--hub is .* expected https://host"):
        Hub.connect(address)


def test_a_closed_port_is_an_unreachable_hub_at_first_contact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pulling and pushing come later and have more patience: the client tries again for a while."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", "hf_ada_write")
    hub = Hub.connect()
    for action in (
        lambda: hub.resolve("model", "ada/any"),
        hub.namespace,
        lambda: hub.ensure_dataset("ada/any"),
    ):
        with pytest.raises(HubUnreachable, match=r"http://127\.0\.0\.1:9 cannot be reached \(.+\); check the network"):
            action()
    assert issubclass(HubUnreachable, HubError)


def test_a_file_that_nobody_reads_is_refused_before_it_is_downloaded(
    connect: Callable[..., Hub], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.hub.client.LARGEST", 1 << 20)
    hub = connect()
    (folder / "large.json").write_text(" " * (1 << 20) + "1")
    place = push_folder(hub, "dataset", "ada/large", folder, message="one")
    apart = Hub(hub.endpoint, "hf_ada_write", cache=tmp_path / "cache")
    with pytest.raises(DataError, match=r"large.json of .* has more than 1 MiB"):
        apart.read(place, "large.json")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.stat().st_size > 1 << 20]
    assert apart.read(place, "data/rows.jsonl") == b'{"a": 1}\n'
