"""Promotions that are killed, race each other, or whose Hubs change or end meanwhile: nothing is left half done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from harness.errors import HubError, HubUnreachable
from harness.hubd.embedded import EmbeddedHub, running
from support.promotion import TARGET_USERS, assert_equal, commit, files, make, without_record

KILLED = """
import os, signal, sys
from huggingface_hub.utils import get_session
from harness.cli.__main__ import main
from harness.hub.http_client import use_own_client

use_own_client("http://127.0.0.1")  # once per process: what is hooked into it stays
left, moment = int(sys.argv.pop(1)), sys.argv.pop(1)

def count(message):
    global left
    request = message if moment == "request" else message.request
    left -= request.method not in ("GET", "HEAD")
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

hooks = get_session().event_hooks
get_session().event_hooks = {**hooks, moment: [*hooks[moment], count]}
main()
"""


def _killed(hubs: tuple[EmbeddedHub, EmbeddedHub], repo: str, request: int, moment: str, folder: Path) -> bool:
    """Run the command in another process, which dies before (or after) it sends that request; False if it ended."""
    environment = os.environ | {"HF_TOKEN": "hf_ada_target", "TFT_FROM_TOKEN": "hf_ada_source", "TMPDIR": str(folder)}
    words = [str(request), moment, "hub", "promote", repo, "--from", hubs[0].url, "--to", hubs[1].url]
    done = subprocess.run([sys.executable, "-c", KILLED, *words], env=environment, capture_output=True, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


@pytest.mark.parametrize(
    "moment", [pytest.param("request", marks=pytest.mark.slow), pytest.param("response", marks=pytest.mark.kill)]
)
def test_killed_around_every_write_it_goes_on_and_shows_nothing_half_done(hubs, source, target, moment, tmp_path):
    """Every run dies at its n-th writing request, n = 1, 2, ...: strangers see nothing, or all that main has."""
    stranger = HfApi(endpoint=hubs[1].url, token="hf_bob_target")
    repo = make(source, f"ada/killed-{moment}", large=True)
    deaths = 0
    while _killed(hubs, repo, deaths + 1, moment, tmp_path):
        deaths += 1
        if stranger.repo_exists(repo):
            assert without_record(files(stranger, repo)) == files(source, repo)
        for tag in target.list_repo_refs(repo).tags if target.repo_exists(repo) else []:
            assert files(target, repo, tag.name) == files(source, repo, tag.name)
    assert deaths >= 5
    assert_equal(source, repo, target, repo)
    assert stranger.repo_exists(repo)


@pytest.mark.slow
def test_two_promotions_at_once_end_as_one(hubs, source, target, promote):
    """One of them may be refused; nothing is mixed up, and running again completes it."""
    repo = make(source, "ada/raced")
    environment = os.environ | {"HF_TOKEN": "hf_ada_target", "TFT_FROM_TOKEN": "hf_ada_source"}
    words = ["hub", "promote", repo, "--from", hubs[0].url, "--to", hubs[1].url]
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "harness.cli", *words], env=environment, stdout=-3, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    for child in children:
        _, said = child.communicate()
        assert child.returncode in (0, 2), said
        assert b"Traceback" not in said
    promote(repo)
    assert_equal(source, repo, target, repo)


def test_a_source_that_goes_on_meanwhile_is_promoted_as_it_was(hubs, source, target, monkeypatch):
    """Commits are pinned when the plan is made."""
    from harness.hub.connect import connect_both
    from harness.hub.promotion.plan import PromoteOptions
    from harness.hub.promotion.promote import apply_promotion, parse_name, plan_promotion

    monkeypatch.setenv("TFT_FROM_TOKEN", "hf_ada_source")
    monkeypatch.setenv("HF_TOKEN", "hf_ada_target")
    repo = make(source, "ada/moving")
    was = {revision: files(source, repo, revision) for revision in ("main", "v1")}
    with connect_both(hubs[0].url, hubs[1].url) as (giver, receiver):
        plan = plan_promotion(giver, receiver, [parse_name(repo, "model")], PromoteOptions())
        commit(source, repo, README_md=b"later")
        source.delete_tag(repo, tag="v1")
        source.create_tag(repo, tag="v1")
        apply_promotion(giver, receiver, plan, lambda line: None)
    assert {"v1": files(target, repo, "v1"), "main": without_record(files(target, repo))} == was


@pytest.mark.slow
def test_a_target_that_moves_meanwhile_is_not_overwritten(hubs, source, target, monkeypatch):
    from harness.hub.connect import connect_both
    from harness.hub.promotion.plan import PromoteOptions
    from harness.hub.promotion.promote import apply_promotion, parse_name, plan_promotion

    monkeypatch.setenv("TFT_FROM_TOKEN", "hf_ada_source")
    monkeypatch.setenv("HF_TOKEN", "hf_ada_target")
    repo = make(source, "ada/contested")
    with connect_both(hubs[0].url, hubs[1].url) as (giver, receiver):
        apply_promotion(
            giver,
            receiver,
            plan_promotion(giver, receiver, [parse_name(repo, "model")], PromoteOptions()),
            lambda line: None,
        )
        commit(source, repo, new_txt=b"n")
        plan = plan_promotion(giver, receiver, [parse_name(repo, "model")], PromoteOptions())
        commit(target, repo, theirs_txt=b"t")
        with pytest.raises(HubError, match="someone else pushed"):
            apply_promotion(giver, receiver, plan, lambda line: None)
    assert "theirs.txt" in files(target, repo)


@pytest.mark.slow
def test_a_target_that_dies_midway_is_completed_when_it_is_back(hubs, source, promote, tmp_path, monkeypatch):
    from harness.hub.connect import connect_both
    from harness.hub.promotion.plan import PromoteOptions
    from harness.hub.promotion.promote import apply_promotion, parse_name, plan_promotion

    repo = make(source, "ada/outlives")
    monkeypatch.setenv("TFT_FROM_TOKEN", "hf_ada_source")
    monkeypatch.setenv("HF_TOKEN", "hf_ada_target")
    (tmp_path / "users.yaml").write_text(TARGET_USERS)
    first = running(tmp_path / "root", users=tmp_path / "users.yaml")
    fragile = first.__enter__()

    def die(line: str) -> None:
        if "v2" in line:
            first.__exit__(None, None, None)

    with connect_both(hubs[0].url, fragile.url) as (giver, receiver):
        plan = plan_promotion(giver, receiver, [parse_name(repo, "model")], PromoteOptions())
        with pytest.raises(HubUnreachable):
            apply_promotion(giver, receiver, plan, die)
    with running(tmp_path / "root", users=tmp_path / "users.yaml") as back:
        api = HfApi(endpoint=back.url, token="hf_ada_target")
        assert api.repo_info(repo).private
        assert [tag.name for tag in api.list_repo_refs(repo).tags] == ["v1"]
        promote(repo, to=back.url)
        assert_equal(source, repo, api, repo)
        assert not api.repo_info(repo).private
