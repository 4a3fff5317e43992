"""A command of `tft` as a Hugging Face Job: what would run, shown without secrets, and its submission."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from harness import __version__
from harness.errors import AccessDenied, HubError, UsageError
from harness.hub.client import PRIVATE, Hub
from harness.secrets import known

PROVIDER = "hf"
IMAGE = "ghcr.io/astral-sh/uv:python3.12-bookworm"
"""Python, uv, git and a C compiler; CUDA comes with PyTorch's wheels."""
TIMEOUT = "6h"
"""The service's own default of half an hour is less than a training takes."""

_MASK = "***"
_TOKEN = "HF_TOKEN"  # noqa: S105 -- a variable's name
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_NOT_FOUND = 404
_COMPLETED = "COMPLETED"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """How a job is run, apart from its command and hardware."""

    image: str = IMAGE
    package: str | None = None
    """Where this harness is installed from: a git URL (git+https://..., at the tag of this version unless it names a
    revision), a wheel's address, or that of a package index; None: the index that the image uses."""
    timeout: str = TIMEOUT
    """A number of s, m, h or d, after which the job is stopped."""
    namespace: str | None = None
    """Who owns the job and pays for it; None: the token's user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """A job as it is submitted, but for the values of its secrets, which it does not hold."""

    image: str
    command: tuple[str, ...]
    environment: dict[str, str]
    secrets: tuple[str, ...]
    """Names of the variables that only the job can read."""
    flavor: str
    seconds: int
    labels: dict[str, str]
    namespace: str | None
    url: str | None = None
    """Its page; None where it was not submitted."""
    id: str | None = None

    def dump(self) -> dict[str, Any]:
        """Return what is posted, each secret masked."""
        return {
            "command": list(self.command),
            "arguments": [],
            "environment": self.environment,
            "flavor": self.flavor,
            "secrets": dict.fromkeys(self.secrets, _MASK),
            "timeoutSeconds": self.seconds,
            "labels": self.labels,
            "dockerImage": self.image,
        }

    def text(self) -> str:
        """Return the job as YAML, below its command and the line that submits the same by hand, as comments."""
        import yaml

        by_hand = [f"HF_ENDPOINT={self.environment['HF_ENDPOINT']}", "hf", "jobs", "run", "--detach"]
        by_hand += ["--flavor", self.flavor, "--timeout", f"{self.seconds}s"]
        for option, values in (("--env", self.environment), ("--label", self.labels)):
            by_hand += [word for name, value in values.items() for word in (option, f"{name}={value}")]
        by_hand += [word for name in self.secrets for word in ("--secrets", name)]
        by_hand += ["--namespace", self.namespace] if self.namespace else []
        by_hand += [self.image, *self.command]
        spec = yaml.safe_dump(self.dump(), sort_keys=False, allow_unicode=True, width=10_000)
        return f"# the command: {shlex.join(self.command)}\n# by hand: {shlex.join(by_hand)}\n{spec}"


def parse_jobs(text: str) -> str:
    """Return the hardware flavor that `hf:FLAVOR` names; UsageError where the client knows no such one."""
    from huggingface_hub import JobHardware

    provider, _, flavor = text.partition(":")
    known = [hardware.value for hardware in JobHardware]
    if provider != PROVIDER or flavor not in known:
        raise UsageError(f"no jobs {text!r}; expected {PROVIDER}:FLAVOR, and a flavor is one of {', '.join(known)}")
    return flavor


def submit(
    command: Sequence[str], *, flavor: str, hub: Hub, dry_run: bool, options: JobOptions | None = None
) -> JobSpec:
    """Submit `command` (`tft` and its words) as a job of the hub, and return it with its address.

    With `dry_run` nothing is sent. The token travels as a secret of the job and stands nowhere else. Raises UsageError
    where the job cannot be described, AccessDenied without a token, HubError where the Hub refuses it.
    """
    options = options or JobOptions()
    token = hub.token()
    spec = _specify(command, flavor, hub.endpoint, options)
    words = (*spec.command, *spec.environment.values(), spec.image)
    if token and any(token in word for word in words):
        raise UsageError("the job's command contains your token, which others could read; it gets HF_TOKEN by itself")
    if what := next((what for word in words if (what := known().find(word))), None):
        raise UsageError(f"the job's command contains {what}, which others could read; leave it out")
    if dry_run:
        return spec
    if not token:
        raise AccessDenied(f"a job needs a token that may start it at {hub.endpoint}; set HF_TOKEN, or `hf auth login`")
    return _send(replace(spec, namespace=hub.namespace(options.namespace)), hub, token)


def _specify(command: Sequence[str], flavor: str, endpoint: str, options: JobOptions) -> JobSpec:
    if not command:
        raise UsageError("a job needs a command; give one of tft")
    private = {PRIVATE: os.environ[PRIVATE]} if os.environ.get(PRIVATE) else {}
    return JobSpec(
        image=options.image,
        command=("uvx", *_install_words(options.package, flavor), *command),
        environment={"HF_ENDPOINT": endpoint, "PYTHONUNBUFFERED": "1", **private},
        secrets=(_TOKEN,),
        flavor=flavor,
        seconds=_seconds(options.timeout),
        labels={"name": "-".join(command[:2])},
        namespace=options.namespace,
    )


def _install_words(package: str | None, flavor: str) -> list[str]:
    """Return uvx's words for this harness, with what the hardware needs, from where `package` says."""
    name = f"tft-harness[{'train' if flavor.startswith('cpu') else 'cuda,train'}]"
    pinned = f"{name}=={__version__}"
    if package is None:
        return ["--from", pinned]
    parts = urlsplit(package.removeprefix("git+"))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"{package!r} is no source of the harness for a job; expected git+https://host/repository[@revision], "
            "the address of a wheel, or that of a package index"
        )
    if parts.username or parts.password:
        raise UsageError("the harness's source holds credentials, which others could read in the job's command")
    if package.startswith("git+"):
        revision = "" if "@" in parts.path else f"@v{__version__}"
        return ["--from", f"{name} @ {package}{revision}"]
    if parts.path.endswith(".whl"):
        return ["--from", f"{name} @ {package}"]
    return ["--index", package, "--from", pinned]


def _seconds(timeout: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", timeout)
    seconds = int(float(match[1]) * _SECONDS[match[2]]) if match else 0
    if seconds < 1:
        raise UsageError(f"a job's timeout is {timeout!r}; expected a number of s, m, h or d, for example 6h")
    return seconds


def _send(spec: JobSpec, hub: Hub, token: str) -> JobSpec:
    from huggingface_hub.errors import HfHubHTTPError

    with hub.errors(f"a job on {spec.flavor} for {spec.namespace}"):
        try:
            job = hub.api.run_job(
                image=spec.image,
                command=list(spec.command),
                env=dict(spec.environment),
                secrets=dict.fromkeys(spec.secrets, token),
                flavor=spec.flavor,
                timeout=spec.seconds,
                labels=dict(spec.labels),
                namespace=spec.namespace,
                token=token,
            )
        except HfHubHTTPError as error:
            if error.response.status_code == _NOT_FOUND:
                raise UsageError(
                    f"{hub.endpoint} runs no jobs, or knows no {spec.namespace}; give --hub a Hub that does, "
                    "such as https://huggingface.co, or leave --jobs out to run here"
                ) from error
            raise
    return replace(spec, url=job.url, id=job.id)


def wait(spec: JobSpec, hub: Hub) -> None:
    """Return when a submitted job has completed; HubError where it ended in another way."""
    if spec.id is None:
        raise ValueError("only a job that was submitted can be waited for")
    with hub.errors(f"the job {spec.url}"):
        job = hub.api.wait_for_job(job_id=spec.id, namespace=spec.namespace)
    stage = job.status.stage if job.status else None
    if stage != _COMPLETED:
        said = f": {job.status.message}" if job.status and job.status.message else ""
        raise HubError(f"the job {spec.url} ended as {stage}{said}; its page has the log")
