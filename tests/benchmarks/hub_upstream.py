"""huggingface_hub's own tests against the embedded Hub: `hub_upstream.py SDIST [--extra FOLDER]`.

SDIST is the unpacked source distribution of huggingface_hub (`pip download --no-binary :all: --no-deps
huggingface_hub==2.4.0`); its tests also need pytest-mock and pytest-asyncio, which may be in a separate FOLDER
(`pip install --target FOLDER`). The shared fixtures of the tests are only in the git tag, so this file, which is also
the pytest plugin of the run, has its own. The listed classes run twice, with Xet and with HF_HUB_DISABLE_XET=1. Exit
status 1 if a test fails that is not in `EXCEPTIONS`, or one that is passes.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# File -> classes and functions that have to pass; None is all of them.
LISTED: dict[str, tuple[str, ...] | None] = {
    "test_hf_api.py": (
        "TestHfApiEndpoints", "TestCommitApi", "TestHfApiUploadEmptyFile", "TestHfApiDeleteFolder",
        "TestHfApiDeleteFiles", "TestHfApiListRepoTree", "TestHfApiTagEndpoint", "TestHfApiBranchEndpoint",
        "TestHfApiPublicStaging", "TestHfApiPrivate", "TestHfApiRepoFileExists", "TestListGitCommits",
        "TestSquashHistory", "TestHfApiAuthCheck", "TestCollectionAPI", "TestHfApiVerifyChecksums",
        "TestUploadFolderMocked", "TestHfLargefiles", "TestCommitInBackground", "TestDownloadHfApiAlias",
        "TestHfApiTokenAttribute",
    ),
    "test_hf_file_system.py": None,
    "test_file_download.py": None,
    "test_snapshot_download.py": None,
    "test_commit_scheduler.py": None,
    "test_upload_pipeline.py": None,
    "test_lfs.py": None,
    "test_xet_upload.py": None,
    "test_repocard.py": None,
    "test_eval_results.py": None,
}  # fmt: skip

# What fails for a reason that lies outside of the Hub: pattern of the test's name -> reason.
EXCEPTIONS: dict[str, str] = {
    r"TestHfHubDownloadRelativePaths": "stores a file whose name would escape on Windows (backslashes); refused here",
    r"TestBucketXetUploadSkipSha256": "needs buckets, which are a service of their own and no repositories",
}

OUTCOMES = "UPSTREAM_OUTCOMES"


# The plugin: everything below runs inside pytest, where HF_ENDPOINT is the embedded Hub.


class RepoFactory:
    """Makes repositories for a test and deletes them after it."""

    def __init__(self, endpoint: str, token: str) -> None:
        self._endpoint, self._token = endpoint, token
        self._made: list[tuple[object, str, str]] = []

    def __call__(self, repo_type: str = "model", repo_id: str | None = None, token: str | None = None, **options):
        """Create a repository, under a name of its own if none is given, and return its address."""
        from huggingface_hub import HfApi
        from tests.testing_utils import repo_name

        api = HfApi(endpoint=self._endpoint, token=token or self._token)
        made = api.create_repo(repo_id or repo_name(), repo_type=repo_type, **options)
        self._made.append((api, made.repo_id, repo_type))
        return made

    def close(self) -> None:
        """Delete what is left of them."""
        for api, repo_id, repo_type in self._made:
            api.delete_repo(repo_id, repo_type=repo_type, missing_ok=True)


def pytest_configure(config: pytest.Config) -> None:
    """Point the tests at the embedded Hub before they are imported."""
    if OUTCOMES not in os.environ:
        return
    from tests import testing_constants

    testing_constants.ENDPOINT_STAGING = os.environ["HF_ENDPOINT"]
    for mark in ("api", "transfer", "inference", "xet", "no_xet", "production", "deprecated(name)", "git_lfs"):
        config.addinivalue_line("markers", f"{mark}: of upstream")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the listed tests; skip what asks the public Hub, and in the run without Xet what is about Xet."""
    without_xet = os.environ.get("HF_HUB_DISABLE_XET") == "1"
    kept = []
    for item in items:
        classes = LISTED.get(item.path.name)
        if classes is not None and not any(part in classes for part in item.nodeid.split("::")):
            continue
        kept.append(item)
        for mark, reason in (("production", "asks huggingface.co"), ("git_lfs", "runs the git-lfs command")):
            if item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))
        if item.get_closest_marker("xet") and without_xet:
            item.add_marker(pytest.mark.skip(reason="about Xet; see the run with it"))
        if item.get_closest_marker("no_xet") and not without_xet:
            item.add_marker(pytest.mark.skip(reason="about uploads without Xet; see the run without it"))
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what became of a test, one line of JSON for each."""
    if OUTCOMES not in os.environ or (report.when != "call" and report.passed):
        return
    reason = ""
    if report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        reason = crash.message if crash else str(report.longrepr)[-300:]
    elif report.skipped and isinstance(report.longrepr, tuple):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
    line = {"test": report.nodeid, "outcome": report.outcome, "reason": " ".join(reason.split())[:300]}
    with Path(os.environ[OUTCOMES]).open("a") as file:
        file.write(json.dumps(line) + "\n")


@pytest.fixture(scope="session")
def api():
    """The client of the user whom the tests call their own."""
    from huggingface_hub import HfApi
    from tests.testing_constants import ENDPOINT_STAGING, TOKEN

    return HfApi(endpoint=ENDPOINT_STAGING, token=TOKEN)


@pytest.fixture
def repo_factory():
    """A function that makes repositories."""
    from tests.testing_constants import ENDPOINT_STAGING, TOKEN

    factory = RepoFactory(ENDPOINT_STAGING, TOKEN)
    yield factory
    factory.close()


# The driver: starts a Hub for each of the two runs, and counts.

SEEDED = """
users:
  - {{name: {USER}, fullname: {FULL_NAME}, orgs: [valid_org_hub], tokens: [{{token: {TOKEN}}}]}}
  - {{name: {OTHER_USER}, tokens: [{{token: {OTHER_TOKEN}}}]}}
  - {{name: {ENTERPRISE_USER}, orgs: [{ENTERPRISE_ORG}], tokens: [{{token: {ENTERPRISE_TOKEN}}}]}}
orgs: [{{name: valid_org_hub, fullname: Dummy Hub Org}}, {{name: {ENTERPRISE_ORG}, private_by_default: true}}]
"""


def run(tests: Path, extra: str, *, without_xet: bool, selected: str | None) -> list[dict[str, str]]:
    """Run the listed tests against a fresh Hub and return their outcomes."""
    from harness.hubd.embedded import running

    work = tests.parent
    constants = dict(re.findall(r'^(\w+) = "(.*)"', (tests / "testing_constants.py").read_text(), re.M))
    (work / "users.yaml").write_text(SEEDED.format(**constants))
    outcomes = work / "outcomes.jsonl"
    outcomes.unlink(missing_ok=True)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    path = os.pathsep.join(filter(None, (str(work), str(Path(__file__).parent), extra)))
    command = [sys.executable, "-m", "pytest", "-p", "hub_upstream", "-q", "--tb=short", "--timeout=180"]
    command += ["-p", "no:cacheprovider", "-p", "no:randomly", "-c", "pytest.ini", "--import-mode=prepend"]
    command += ["-k", selected] if selected else []
    with tempfile.TemporaryDirectory() as root, running(Path(root) / "root", users=work / "users.yaml") as hub:
        home = {"HF_ENDPOINT": hub.url, "HF_HOME": f"{root}/home", "PYTHONPATH": path, OUTCOMES: str(outcomes)}
        home |= {"HF_HUB_DISABLE_XET": "1"} if without_xet else {}
        files = [f"tests/{name}" for name in LISTED]
        with (work / f"pytest-{'lfs' if without_xet else 'xet'}.log").open("wb") as log:
            subprocess.run([*command, *files], cwd=work, env=clean | home, stdout=log, stderr=log, check=False)
    return [json.loads(line) for line in outcomes.read_text().splitlines()] if outcomes.exists() else []


def report(name: str, outcomes: list[dict[str, str]]) -> int:
    """Print the counts by class and every failure; return how many are not explained."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    last = {item["test"]: item for item in outcomes}  # a failing teardown counts after its test
    last |= {item["test"]: item for item in outcomes if item["outcome"] == "failed"}
    wrong = 0
    failures = []
    for test, item in last.items():
        file, *parts = test.split("::")
        excuse = next((why for pattern, why in EXCEPTIONS.items() if re.search(pattern, test)), None)
        outcome = item["outcome"]
        if outcome == "failed" and excuse:
            outcome = "exception"
        elif outcome == "failed" or (outcome == "passed" and excuse):
            wrong += 1
            failures.append(f"{test}\n    {item['reason'] if outcome == 'failed' else 'passes, no exception any more'}")
        group = f"{Path(file).name}::{parts[0]}" if len(parts) > 1 else Path(file).name
        counts[group][outcome] += 1
        counts["all"][outcome] += 1
    columns = ("passed", "failed", "exception", "skipped")
    print(f"\n{name}\n{'':70}" + "".join(f"{column:>10}" for column in columns))
    for group, found in counts.items():
        print(f"{group:70}" + "".join(f"{found[column] or '-':>10}" for column in columns))
    for failure in failures:
        print(f"FAILED {failure}")
    return wrong


def main() -> None:
    """Run the suite twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sdist", type=Path, help="the unpacked source distribution")
    parser.add_argument("--extra", default="", help="folder with pytest-mock and pytest-asyncio")
    parser.add_argument("--only", choices=("xet", "lfs"), help="one of the two runs")
    parser.add_argument("-k", dest="selected", help="tests as for pytest -k")
    parser.add_argument("--keep", type=Path, help="keep the logs of pytest here")
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        tests = Path(folder) / "tests"
        shutil.copytree(options.sdist / "tests", tests)
        (tests / "__init__.py").touch()
        (tests / "conftest.py").write_text("from hub_upstream import RepoFactory\n")
        (Path(folder) / "pytest.ini").write_text("[pytest]\nfilterwarnings = error::FutureWarning\n")
        for name, without_xet in (("xet", False), ("lfs", True)):
            if options.only in (None, name):
                outcomes = run(tests, options.extra, without_xet=without_xet, selected=options.selected)
                wrong += report("HF_HUB_DISABLE_XET=1" if without_xet else "With Xet", outcomes) + (not outcomes)
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            for log in Path(folder).glob("*.log"):
                shutil.copy(log, options.keep)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
