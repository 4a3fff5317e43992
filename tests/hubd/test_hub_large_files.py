"""Large files both ways, with Xet and without: the same content, stored once."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable

import pytest

ROUND_TRIP = """
import os, sys
from pathlib import Path
from huggingface_hub import HfApi, constants
api, repo, seed = HfApi(), sys.argv[1], int(sys.argv[2])
content = bytes(seed) + os.urandom(9_000_000) + bytes(3_000_000) + b"tail" * 200_000
api.create_repo(repo)
Path("w.safetensors").write_bytes(content)
Path("copy.bin").write_bytes(content[:7_000_000] + b"!" + content[7_000_000:])
api.upload_folder(repo_id=repo, folder_path=".", allow_patterns=["*.safetensors", "*.bin"])
api.upload_file(repo_id=repo, path_or_fileobj=content[:100_000], path_in_repo="head.bin")
got = Path(api.snapshot_download(repo, cache_dir="cache"))
assert (got / "w.safetensors").read_bytes() == content
assert (got / "copy.bin").read_bytes() == Path("copy.bin").read_bytes()
assert (got / "head.bin").read_bytes() == content[:100_000]
print(constants.HF_HUB_DISABLE_XET)
"""


@pytest.mark.parametrize("disabled", ["0", "1"])
def test_a_round_trip_with_and_without_xet(run_client: Callable[..., str], hub, api, disabled: str):
    repo = f"ada/large-{disabled}"
    printed = run_client(ROUND_TRIP, repo, disabled, HF_HUB_DISABLE_XET=disabled)
    assert printed.strip() == str(disabled == "1")
    assert not list((hub.root / "xorbs").iterdir()), "unpacked xorbs are not kept"
    for path in (hub.root / "files").rglob("*"):
        if path.is_file():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    assert all(
        sibling.lfs for sibling in api.model_info(repo, files_metadata=True).siblings if "." in sibling.rfilename[1:]
    )


DEDUPLICATED = """
import sys
from pathlib import Path
from huggingface_hub import HfApi
api, repo = HfApi(), sys.argv[1]
content = bytes(range(256)) * 60_000
api.create_repo(repo, exist_ok=True)
for number in range(3):
    content = content[:5_000_000] + str(number).encode() + content[5_000_000:]
    Path("w.bin").write_bytes(content)
    api.upload_file(repo_id=repo, path_or_fileobj="w.bin", path_in_repo="w.bin")
    assert Path(api.hf_hub_download(repo, "w.bin", cache_dir=f"cache{number}")).read_bytes() == content
"""


def test_a_client_may_refer_to_chunks_of_earlier_uploads(run_client: Callable[..., str], hub):
    run_client(DEDUPLICATED, "ada/dedup")
    run_client(DEDUPLICATED, "ada/dedup2")  # the client remembers the first run
    assert not list((hub.root / "xorbs").iterdir())


def test_the_repositories_on_disk_are_ordinary_git(hub, api):
    repo = api.create_repo("ada/plain-git").repo_id
    api.upload_file(path_or_fileobj=b"w" * 100_000, path_in_repo="w.bin", repo_id=repo)
    for folder in (hub.root / "repos").iterdir():
        fsck = subprocess.run(["git", "-C", folder, "fsck", "--strict"], capture_output=True, text=True, check=False)
        assert fsck.returncode == 0, fsck.stderr
