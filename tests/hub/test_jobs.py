"""Jobs: what is shown is what the official client posts, and the token stands in the secrets alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import __version__
from harness.errors import AccessDenied, HubError, HubUnreachable, UsageError
from harness.hub.client import Hub
from harness.hub.jobs import IMAGE, JobOptions, parse_jobs, submit, wait
from support.http_server import Handler, serving

TOKEN = "hf_aTokenThatMustNotBeSeen"
COMMAND = ("tft", "train", "ada/traces", "--student", "ada/student", "--to", "ada/trained")
GIT = "git+https://example.org/tft-harness.git"


@dataclass
class Service:
    """A Hub that only knows its user and takes jobs."""

    url: str = ""
    status: int = 200
    stages: list[str] = field(default_factory=lambda: ["RUNNING", "COMPLETED"])
    """How the job stands, each time it is asked for."""
    posted: list[tuple[str, str | None, dict[str, Any]]] = field(default_factory=list)
    """Path, authorization and body of each request for a job."""


@pytest.fixture
def service() -> Iterator[Service]:
    state = Service()

    class Jobs(Handler):
        def do_GET(self) -> None:
            if self.path.endswith("/job1"):
                owner = {"id": "1", "name": "ada", "type": "user"}
                status = {"stage": state.stages.pop(0), "message": "no space left"}
                self.send(200, {"id": "job1", "owner": owner, "status": status})
                return
            self.send(200, {"name": "ada", "type": "user"} if self.path == "/api/whoami-v2" else {})

        def do_POST(self) -> None:
            body = json.loads(self.body())
            state.posted.append((self.path, self.headers["Authorization"], body))
            owner = {"id": "1", "name": self.path.rpartition("/")[2], "type": "user"}
            job = {"id": "job1", "owner": owner, "status": {"stage": "SCHEDULING"}}
            refusal = {"error": "the balance of ada is too low"}
            self.send(state.status, job if state.status == 200 else refusal)

    with serving(Jobs) as server:
        state.url = server.url
        yield state


@pytest.fixture
def hub(service: Service, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("HF_ENDPOINT", service.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return Hub.connect()


def test_a_dry_run_shows_what_is_posted_and_the_token_goes_into_the_secrets_alone(
    service: Service, hub: Hub, capfd: pytest.CaptureFixture[str]
) -> None:
    shown = submit(COMMAND, flavor="a100-large", hub=hub, dry_run=True).text()
    assert service.posted == []
    job = submit(COMMAND, flavor="a100-large", hub=hub, dry_run=False)
    [(path, authorization, body)] = service.posted
    assert path == "/api/jobs/ada"
    assert authorization == f"Bearer {TOKEN}"
    assert body.pop("secrets") == {"HF_TOKEN": TOKEN}
    assert TOKEN not in json.dumps(body)
    assert yaml.safe_load(shown) == {**body, "secrets": {"HF_TOKEN": "***"}}
    assert (body["flavor"], body["dockerImage"], body["timeoutSeconds"]) == ("a100-large", IMAGE, 6 * 3600)
    assert body["environment"]["HF_ENDPOINT"] == service.url
    assert body["command"][-len(COMMAND) :] == list(COMMAND)
    assert job.url == f"{service.url}/jobs/ada/job1"
    printed = capfd.readouterr()
    assert TOKEN not in "".join((shown, job.text(), repr(job), printed.out, printed.err))


def test_the_line_by_hand_makes_the_clients_own_command_post_the_same(
    service: Service, hub: Hub, tmp_path: Path
) -> None:
    command = (*COMMAND, "--note", "two words; $HOME 'quoted'")
    options = JobOptions(package=GIT, timeout="90m", namespace="org")
    shown = submit(command, flavor="h200", hub=hub, dry_run=True, options=options).text()
    [line] = [line.removeprefix("# by hand: ") for line in shown.splitlines() if line.startswith("# by hand: ")]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {"PATH": path, "HOME": str(tmp_path), "HF_TOKEN": TOKEN}
    done = subprocess.run(line, shell=True, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    submit(command, flavor="h200", hub=hub, dry_run=False, options=options)
    by_hand, ours = service.posted
    assert by_hand == ours
    assert ours[0] == "/api/jobs/org"


@pytest.mark.parametrize(
    ("package", "flavor", "words"),
    [
        (None, "a100-large", ["--from", f"tft-harness[cuda,train]=={__version__}"]),
        (None, "cpu-upgrade", ["--from", f"tft-harness[train]=={__version__}"]),
        (GIT, "h200", ["--from", f"tft-harness[cuda,train] @ {GIT}@v{__version__}"]),
        (f"{GIT}@main", "h200", ["--from", f"tft-harness[cuda,train] @ {GIT}@main"]),
        ("https://host/a.whl", "h200", ["--from", "tft-harness[cuda,train] @ https://host/a.whl"]),
        (
            "https://host/simple",
            "h200",
            ["--index", "https://host/simple", "--from", f"tft-harness[cuda,train]=={__version__}"],
        ),
    ],
)
def test_the_harness_is_installed_at_one_version_with_what_the_hardware_needs(
    hub: Hub, package: str | None, flavor: str, words: list[str]
) -> None:
    spec = submit(COMMAND, flavor=flavor, hub=hub, dry_run=True, options=JobOptions(package=package))
    assert list(spec.command) == ["uvx", *words, *COMMAND]


def test_a_flavor_is_one_that_the_client_knows() -> None:
    assert parse_jobs("hf:a100-large") == "a100-large"
    for wrong in ("hf:a100", "hf:", "hf", "a100-large", "aws:a100-large", ""):
        with pytest.raises(UsageError, match=r"expected hf:FLAVOR.*cpu-basic.*a100-large"):
            parse_jobs(wrong)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (JobOptions(timeout="soon"), "'soon'.*6h"),
        (JobOptions(timeout="0h"), "'0h'"),
        (JobOptions(timeout="-1h"), "'-1h'"),
        (JobOptions(package="./here"), r"'./here' is no source.*git\+https"),
        (JobOptions(package="https://me:secret@host/simple"), "holds credentials"),
        (JobOptions(image=f"image:{TOKEN}"), "contains your token"),
    ],
)
def test_a_job_that_could_not_run_or_would_show_a_secret_is_refused_even_dry(
    hub: Hub, options: JobOptions, words: str
) -> None:
    with pytest.raises(UsageError, match=words) as refusal:
        submit(COMMAND, flavor="h200", hub=hub, dry_run=True, options=options)
    assert TOKEN not in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_a_token_among_the_commands_words_is_refused(service: Service, hub: Hub) -> None:
    with pytest.raises(UsageError, match="contains your token") as refusal:
        submit((*COMMAND, f"--token={TOKEN}"), flavor="h200", hub=hub, dry_run=False)
    assert TOKEN not in str(refusal.value)
    assert service.posted == []


def test_without_a_token_only_a_dry_run_works(service: Service) -> None:
    hub = Hub(service.url, False)
    assert submit(COMMAND, flavor="h200", hub=hub, dry_run=True).url is None
    with pytest.raises(AccessDenied, match="HF_TOKEN"):
        submit(COMMAND, flavor="h200", hub=hub, dry_run=False)
    assert service.posted == []


def test_a_refusal_says_what_the_service_said_and_what_to_do(service: Service, hub: Hub) -> None:
    for status, kind, words in (
        (402, HubError, "a job on h200 for ada.*balance of ada is too low"),
        (403, AccessDenied, "token with the right"),
        (404, UsageError, "runs no jobs.*leave --jobs out"),
    ):
        service.status = status
        with pytest.raises(kind, match=words) as refusal:
            submit(COMMAND, flavor="h200", hub=hub, dry_run=False)
        assert TOKEN not in str(refusal.value)


def test_a_service_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(HubUnreachable, match=r"127\.0\.0\.1:9"):
        submit(COMMAND, flavor="h200", hub=Hub.connect("http://127.0.0.1:9"), dry_run=False)


def test_a_job_is_waited_for_and_its_failure_is_told_with_its_page(service: Service, hub: Hub) -> None:
    job = submit(COMMAND, flavor="a100-large", hub=hub, dry_run=False)
    wait(job, hub)
    assert service.stages == []
    service.stages = ["RUNNING", "ERROR"]
    with pytest.raises(HubError, match="job1 ended as ERROR: no space left"):
        wait(job, hub)


def test_a_job_makes_private_what_this_machine_would_make_private(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "TFT_PRIVATE" not in submit(COMMAND, flavor="a100-large", hub=hub, dry_run=True).environment
    monkeypatch.setenv("TFT_PRIVATE", "1")
    assert submit(COMMAND, flavor="a100-large", hub=hub, dry_run=True).environment["TFT_PRIVATE"] == "1"
