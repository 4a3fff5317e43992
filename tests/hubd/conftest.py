"""A Hub for each file of tests, in a child process, with two users, an organisation and a read-only token."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.hubd.embedded import EmbeddedHub, running

USERS = """
users:
  - name: ada
    fullname: Ada L.
    orgs: [lab]
    tokens: [{token: hf_ada_write, role: write}, {token: hf_ada_read, role: read}]
  - {name: bob, tokens: [{token: hf_bob_write}]}
orgs:
  - {name: lab, private_by_default: true}
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    folder = tmp_path_factory.mktemp("hub")
    users = folder / "users.yaml"
    users.write_text(USERS)
    with running(folder / "root", users=users) as found:
        yield found


@pytest.fixture(scope="module")
def api(hub: EmbeddedHub):
    from huggingface_hub import HfApi

    return HfApi(endpoint=hub.url, token=hub.token)


@pytest.fixture(scope="module")
def bob(hub: EmbeddedHub):
    from huggingface_hub import HfApi

    return HfApi(endpoint=hub.url, token="hf_bob_write")


@pytest.fixture
def run_client(hub: EmbeddedHub, tmp_path: Path) -> Callable[..., str]:
    """Run a script as a user would: a fresh process that knows HF_ENDPOINT and HF_TOKEN only; returns its stdout."""

    def run(script: str, *arguments: str, **environment: str) -> str:
        own = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "HF_HOME": str(tmp_path / "home"), **environment}
        command = [sys.executable, "-c", script, *arguments]
        done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    return run
