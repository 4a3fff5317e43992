"""Starting, stopping, and what survives: the server as a process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from harness.hubd.embedded import running
from harness.hubd.errors import HubStartError

SERVE = [sys.executable, "-m", "harness.hubd"]


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [*SERVE, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, stderr = process.communicate(timeout=20)
    return process.returncode, stderr


def test_the_first_start_makes_one_user_whose_token_only_the_owner_can_read(tmp_path):
    root = tmp_path / "root"
    with running(root) as hub:
        assert HfApi(endpoint=hub.url, token=hub.token).whoami()["name"] == "local"
        assert (root / "token").stat().st_mode & 0o777 == 0o600
        assert (root / "key").stat().st_mode & 0o777 == 0o600
        first = hub.token
    assert first.encode() not in (root / "hub.db").read_bytes()
    with running(root) as hub:
        assert hub.token == first


def test_the_token_is_printed_once_and_never_logged(tmp_path):
    for expected in (True, False):
        process = start("--root", tmp_path / "root", "--port", 0, "--verbose")
        lines = [process.stdout.readline() for _ in range(3)]
        url, token = lines[0].removeprefix("Hub ready: ").strip(), (tmp_path / "root" / "token").read_text().strip()
        assert (token in "".join(lines)) is expected
        HfApi(endpoint=url, token=token).whoami()
        process.send_signal(signal.SIGTERM)
        code, stderr = ended(process)
        assert code == 0
        assert "GET /api/whoami-v2 200" in stderr
        assert token not in stderr


def test_what_was_pushed_is_there_after_a_restart(tmp_path):
    content = os.urandom(100_000)
    with running(tmp_path / "root") as hub:
        api = HfApi(endpoint=hub.url, token=hub.token)
        api.create_repo("local/m")
        api.upload_file(path_or_fileobj=content, path_in_repo="w.bin", repo_id="local/m")
        api.create_tag("local/m", tag="v1")
    with running(tmp_path / "root") as hub:
        api = HfApi(endpoint=hub.url, token=hub.token)
        got = api.hf_hub_download("local/m", "w.bin", revision="v1", cache_dir=tmp_path / "cache")
        assert Path(got).read_bytes() == content
        folders = list((hub.root / "repos").iterdir())
        fsck = subprocess.run(
            ["git", "-C", folders[0], "fsck", "--strict"], capture_output=True, text=True, check=False
        )
        assert fsck.returncode == 0, fsck.stderr


def test_a_second_server_on_the_same_root_is_refused(tmp_path):
    with running(tmp_path) as hub:
        with pytest.raises(HubStartError, match="in use by another Hub"), running(tmp_path):
            pass
        code, stderr = ended(start("--root", tmp_path, "--port", 0))
        assert code == 2
        assert stderr.count("\n") == 1
        assert HfApi(endpoint=hub.url, token=hub.token).whoami()


def test_a_port_in_use_is_one_sentence_and_status_2(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, stderr = ended(start("--root", tmp_path, "--port", taken.getsockname()[1]))
    assert code == 2
    assert "choose another --port" in stderr
    assert stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("users: [{name: a, tokens: [{token: t0ken, role: admin}]}]", "users[0].tokens[0].role"),
        ("users: [{name: a, colour: red}]", "unknown key 'colour'"),
        ("userz: []", "unknown key 'userz'"),
        ("users: [{name: 'a b'}]", "is no name"),
        ("users: [{name: a}, {name: A}]", "occurs twice"),
        ("users: [{name: a, tokens: [{token: same}]}, {name: b, tokens: [{token: same}]}]", "the token occurs twice"),
        ("users: [{name: a}]\norgs: [{name: o, private_by_default: maybe}]", "expected true or false"),
        ("users: 5", "expected a list"),
        ("orgs: []", "at least one user"),
        ("[1", "not valid YAML"),
    ],
)
def test_a_wrong_users_file_is_one_sentence_and_status_2(tmp_path, content, said):
    users = tmp_path / "users.yaml"
    users.write_text(content)
    code, stderr = ended(start("--root", tmp_path / "root", "--port", 0, "--users", users))
    assert code == 2
    assert said in stderr
    assert stderr.count("\n") == 1


def test_a_missing_users_file_is_one_sentence_and_status_2(tmp_path):
    code, stderr = ended(start("--root", tmp_path / "root", "--users", tmp_path / "none.yaml"))
    assert (code, stderr.count("\n")) == (2, 1)


def test_the_server_ends_when_its_parent_is_killed(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from harness.hubd.embedded import running\n"
        "with running(Path(sys.argv[1])) as hub: print(hub.url, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, tmp_path / "root"], stdout=subprocess.PIPE, text=True)
    with parent:
        url = parent.stdout.readline().strip()
        parent.kill()
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(url.rsplit(":", 1)[1]))):
                break
        time.sleep(0.1)
    with running(tmp_path / "root"):  # the lock is free again
        pass


def test_what_a_crash_leaves_behind_is_invisible_and_cleared(tmp_path):
    root = tmp_path / "root"
    with running(root) as hub:
        HfApi(endpoint=hub.url, token=hub.token).create_repo("local/m")
    repo = next((root / "repos").iterdir())
    (root / "tmp" / "upload").write_bytes(b"half")
    (root / "xorbs" / ("a" * 64)).write_bytes(b"half")
    (repo / "refs" / "heads" / "main.lock").write_text("")
    with running(root) as hub:
        api = HfApi(endpoint=hub.url, token=hub.token)
        api.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id="local/m")
        assert api.file_exists("local/m", "x.txt")
    assert not list((root / "tmp").iterdir())
    assert not list((root / "xorbs").iterdir())
