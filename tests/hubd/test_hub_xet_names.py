"""A Xet hash is a name that a client chose: none points another user's reads or uploads at other content.

Bob is a stranger with a write token of his own, Ada owns what he is after. He speaks the protocol by hand, she and the
public use the ordinary client.
"""

from __future__ import annotations

import json
import struct
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import hf_xet
import pytest
from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url

from harness.hubd.embedded import EmbeddedHub, running

SHARD_TAG, BOOKEND = b"HFRepoMetaDa", b"\xff" * 32
CHUNK = 4096
"""Smaller than the client's, so that a xorb of the attacker's has more of them."""

UPLOAD = """
import sys
from pathlib import Path
from huggingface_hub import HfApi
HfApi().upload_file(repo_id=sys.argv[1], path_or_fileobj=sys.argv[2], path_in_repo="w.bin")
"""
DOWNLOAD = """
import sys
from pathlib import Path
from huggingface_hub import hf_hub_download
for number in range(int(sys.argv[2])):
    got = Path(hf_hub_download(sys.argv[1], "w.bin", cache_dir=f"downloads{number}", token=False)).read_bytes()
    print(got == Path(sys.argv[3]).read_bytes())
"""


def raw(name: str) -> bytes:
    """Return the 32 bytes of a Xet hash that is written as 64 hex digits."""
    return struct.pack("<4Q", *(int(name[at : at + 16], 16) for at in range(0, 64, 16)))


def xorb(content: bytes, size: int) -> bytes:
    """Return a xorb of plain chunks of `size` bytes."""
    chunks = [content[at : at + size] for at in range(0, len(content), size)]
    return b"".join(b"\0" + (length := len(c).to_bytes(3, "little")) + b"\0" + length + c for c in chunks)


def shard(name: str, xorb_name: str, size: int, chunks: int) -> bytes:
    """Return a shard that says: the file `name` is all chunks of that xorb, `size` bytes."""
    file = raw(name) + struct.pack("<IIQ", 0, 1, 0)
    segment = raw(xorb_name) + struct.pack("<IIII", 0, size, 0, chunks)
    return SHARD_TAG + bytes(36) + file + segment + BOOKEND + bytes(16)


class Attacker:
    """Bob, speaking the upload protocol with a token that he gets for a repository of Ada's."""

    def __init__(self, hub: EmbeddedHub, repo: str) -> None:
        route = f"{hub.url}/api/models/{repo}/xet-write-token/main"
        self._cas = json.loads(self.send("GET", route, None, "hf_bob_write"))

    def put_xorb(self, name: str, content: bytes) -> str:
        """Upload content as a xorb; return the answer."""
        return self._post(f"v1/xorbs/default/{name}", xorb(content, CHUNK))

    def put_file(self, name: str, xorb_name: str, size: int, chunks: int = 0) -> str:
        """Register a file of one whole xorb, by default one of put_xorb; return the answer."""
        return self._post("v1/shards", shard(name, xorb_name, size, chunks or -(-size // CHUNK)))

    def _post(self, path: str, body: bytes) -> str:
        try:
            return self.send("POST", f"{self._cas['casUrl']}/{path}", body, self._cas["accessToken"])
        except urllib.error.HTTPError as error:
            return error.read().decode()

    @staticmethod
    def send(method: str, url: str, body: bytes | None, token: str) -> str:
        request = urllib.request.Request(url, data=body, method=method, headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Ada's file, and nobody else's: each test has its own."""
    path = tmp_path / "weights.bin"
    path.write_bytes(f"weights of {tmp_path} ".encode() * 8000)
    return path


@pytest.fixture
def evil(weights: Path) -> bytes:
    """What the attacker would have others download: as long as Ada's file."""
    return weights.read_bytes().replace(b"weights", b"poisons")


@pytest.fixture
def first_xorb(weights: Path, tmp_path: Path, run_client: Callable[..., str]) -> tuple[str, int]:
    """What the client calls the xorb that it uploads of the file, and its chunks: learnt on a Hub elsewhere."""
    users = tmp_path / "users.yaml"
    users.write_text("users: [{name: ada, tokens: [{token: hf_ada_write}]}]\n")
    home = tmp_path / "home-elsewhere"
    with running(tmp_path / "elsewhere", users=users) as hub:
        HfApi(endpoint=hub.url, token="hf_ada_write").create_repo("ada/w")
        run_client(UPLOAD, "ada/w", str(weights), HF_ENDPOINT=hub.url, HF_HOME=str(home))
    [remembered] = home.rglob("*.mdb")
    data = remembered.read_bytes()
    xorbs = data.index(BOOKEND) + 48  # the files come first
    *name, _, chunks = struct.unpack_from("<4QII", data, xorbs)
    return "".join(f"{part:016x}" for part in name), chunks


def names_of(hub: EmbeddedHub, repo: str, weights: Path) -> tuple[str, str]:
    """Return what the Hub and what the client call the file."""
    shown = get_hf_file_metadata(hf_hub_url(repo, "w.bin", endpoint=hub.url), token=False).xet_file_data
    return shown.file_hash, hf_xet.hash_files([str(weights)])[0].hash


def test_a_file_stays_what_it_is_however_often_a_stranger_registers_its_name(hub, api, run_client, weights, evil):
    repo = api.create_repo("ada/flipped").repo_id
    run_client(UPLOAD, repo, str(weights))
    names = names_of(hub, repo, weights)
    bob, stop = Attacker(hub, repo), threading.Event()
    contents = {"e" * 64: evil, "f" * 64: weights.read_bytes()}

    def flip() -> None:
        while not stop.is_set():
            for name in names:
                for mine, content in contents.items():
                    bob.put_xorb(mine, content)
                    bob.put_file(name, mine, len(content))

    flipping = threading.Thread(target=flip)
    flipping.start()
    try:
        printed = run_client(DOWNLOAD, repo, "8", str(weights))
    finally:
        stop.set()
        flipping.join()
    assert printed.split() == ["True"] * 8


def test_what_a_reader_asked_for_is_what_comes_although_a_stranger_registers_its_name_in_between(
    hub, api, run_client, weights, evil
):
    repo = api.create_repo("ada/between").repo_id
    run_client(UPLOAD, repo, str(weights))
    names = names_of(hub, repo, weights)
    bob, mine = Attacker(hub, repo), "d" * 64
    for name in names:
        bob.put_xorb(mine, evil)
        assert '"result"' in bob.put_file(name, mine, len(evil)), "the attack itself works"
    reading = json.loads(Attacker.send("GET", f"{hub.url}/api/models/{repo}/xet-read-token/main", None, "hf_bob_write"))
    url = f"{reading['casUrl']}/v1/reconstructions/{names[0]}"
    plan = json.loads(Attacker.send("GET", url, None, reading["accessToken"]))
    assert sum(term["unpacked_length"] for term in plan["terms"]) == weights.stat().st_size
    [piece] = [fetch for fetches in plan["fetch_info"].values() for fetch in fetches]
    with urllib.request.urlopen(piece["url"], timeout=30) as answer:
        assert answer.read() == xorb(weights.read_bytes(), 65536)


def test_an_owner_uploads_and_reads_what_a_stranger_registered_under_its_names_before(
    hub, api, run_client, weights, evil, first_xorb
):
    repo = api.create_repo("ada/squatted").repo_id
    bob = Attacker(hub, repo)
    bob.put_xorb(first_xorb[0], evil)
    bob.put_file(hf_xet.hash_files([str(weights)])[0].hash, first_xorb[0], len(evil))
    bob.put_xorb(first_xorb[0], evil)
    run_client(UPLOAD, repo, str(weights))
    assert run_client(DOWNLOAD, repo, "1", str(weights)).split() == ["True"]


def test_a_stranger_reads_nothing_private_by_the_name_of_its_xorb(hub, api, bob, run_client, weights, first_xorb):
    api.create_repo("ada/secret", private=True)
    run_client(UPLOAD, "ada/secret", str(weights))
    name, chunks = first_xorb
    own = bob.create_repo("bob/open").repo_id
    attacker = Attacker(hub, own)
    assert "upload it again" in attacker.put_file("c" * 64, name, weights.stat().st_size, chunks)
    assert '"was_inserted":true' in attacker.put_xorb(name, b"little"), "nor is it said whether it is there"
