"""The users file: what it may say, and that the Hub then knows exactly these people, organisations and rights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from harness.hubd.accounts.users_file import RESERVED, load_users
from harness.hubd.embedded import running
from harness.hubd.errors import HubStartError

FULL = """
users:
  - name: ada
    fullname: Ada L.
    orgs: [LAB, other]
    tokens:
      - {token: hf_ada_write, role: write}
      - {token: hf_ada_read, role: read}
  - {name: bob, orgs: [lab]}
orgs:
  - {name: lab, private_by_default: true}
"""


def load(folder: Path, text: str):
    (folder / "users.yaml").write_text(text)
    return load_users(folder / "users.yaml")


def test_everything_that_the_file_may_say_is_read(tmp_path):
    found = load(tmp_path, FULL)
    assert [(user.name, user.fullname, user.orgs) for user in found.users] == [
        ("ada", "Ada L.", ("lab", "other")),
        ("bob", "bob", ("lab",)),
    ]
    assert [(org.name, org.private_by_default) for org in found.orgs] == [("lab", True), ("other", False)]
    assert [(token.token, token.role) for token in found.users[0].tokens] == [
        ("hf_ada_write", "write"),
        ("hf_ada_read", "read"),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("users: [{name: a, orgs: [lab, LAB]}]", "users[0].orgs: the organisation 'lab' occurs twice"),
        ("users: [{name: a}]\nusers: [{name: b}]", "the key 'users' occurs twice"),
        ("users: [{name: a, name: b}]", "the key 'name' occurs twice"),
        ("users: [{name: a, orgs: [a]}]", "the name 'a' occurs twice"),
        ("users: [{name: a--b}]", "clients refuse"),
        ("users: [{name: a.git}]", "clients refuse"),
        ("users: [{name: a, tokens: [{token: 12345678}]}]", "users[0].tokens[0].token: expected text"),
        ("users: [{name: no}]", "False is no name"),
        *[(f"users: [{{name: {name}}}]", "take another name") for name in sorted(RESERVED)],
    ],
)
def test_what_would_not_mean_what_it_says_is_refused(tmp_path, text, says):
    with pytest.raises(HubStartError) as refused:
        load(tmp_path, text)
    assert says in str(refused.value)


def test_a_token_is_never_shown_in_a_refusal_nor_kept_in_the_root(tmp_path):
    with pytest.raises(HubStartError) as refused:
        load(tmp_path, "users: [{name: a, tokens: [{token: hf_secret}, {token: hf_secret}]}]")
    assert "hf_secret" not in str(refused.value)
    (tmp_path / "users.yaml").write_text(FULL)
    with running(tmp_path / "root", users=tmp_path / "users.yaml") as hub:
        assert HfApi(endpoint=hub.url, token="hf_ada_read").whoami()["auth"]["accessToken"]["role"] == "read"
    for path in (tmp_path / "root").rglob("*"):
        assert not path.is_file() or b"hf_ada" not in path.read_bytes(), path


def test_a_new_file_replaces_the_tokens_of_the_old_one(tmp_path):
    """Who is not in the file any more has no access; what they own stays."""
    from huggingface_hub.errors import HfHubHTTPError

    users = tmp_path / "users.yaml"
    users.write_text(FULL)
    with running(tmp_path / "root", users=users) as hub:
        api = HfApi(endpoint=hub.url, token="hf_ada_write")
        assert api.model_info(api.create_repo("lab/inside").repo_id).private
        assert [org["name"] for org in api.whoami()["orgs"]] == ["lab", "other"]
    users.write_text("users: [{name: eve, orgs: [lab], tokens: [{token: hf_eve}]}]")
    with running(tmp_path / "root", users=users) as hub:
        with pytest.raises(HfHubHTTPError) as refused:
            HfApi(endpoint=hub.url, token="hf_ada_write").whoami()
        assert refused.value.response.status_code == 401
        assert HfApi(endpoint=hub.url, token="hf_eve").model_info("lab/inside").private


def test_an_address_that_others_can_reach_is_said_and_loopback_is_not(tmp_path):
    for host, warns in (("0.0.0.0", True), ("127.0.0.1", False)):
        words = ["--root", str(tmp_path / "root"), "--port", "0", "--host", host]
        server = subprocess.Popen(
            [sys.executable, "-m", "harness.hubd", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert server.stdout
        assert server.stdout.readline().startswith("Hub ready: http://127.0.0.1:")
        server.stdout.readline()  # the rest is printed by then, or the pipe keeps it
        server.terminate()
        _, said = server.communicate(timeout=20)
        assert ("other machines can reach this Hub" in said) is warns
