"""One commit by a stranger must not take down the pages and lists of everybody else, whatever its files say."""

from __future__ import annotations

import base64
import json
import time

import httpx
import pytest

CARDS = {
    "bool": "a: !!bool maybe",
    "int": "a: !!int ''",
    "float": "a: !!float ''",
    "timestamp": "a: !!timestamp foo",
    "base60": "a: 1:59" + ":59" * 200 + ".5",
    "date": "a: 2024-13-45",
    "endless": "a: .inf",
    "overflow": "a: 1.0e+999",
    "digits": "a: " + "9" * 5_000,
    "merge": "<<: 5",
    "list-as-key": "? [a, b]\n: c",
    "aliases": "a: &a [x]\nb: [*a, *a]",
    "binary": "a: !!binary '%%%'",
    "omap": "a: !!omap 5",
    "depth": "a: " + "[" * 3_000 + "]" * 3_000,
    "half": 'a: "\\ud800"',
    "nul": "a: \0",
    "list": "- a",
    "number-tags": "tags: [1.5, null, {a: b}, [c]]\npipeline_tag: [x]\nlicense: {a: b}\npretty_name: 5\nlanguage: 5",
    "relation": "base_model_relation: " + "x" * 20_000 + "\nbase_model: [" + "a/b," * 20_000 + "]",
}
CONFIGS = {
    "half": '{"model_type": "\\ud800"}',
    "nan": '{"model_type": NaN, "architectures": [Infinity]}',
}
LISTS = (
    "/", "/models", "/mallory", "/?search=bad", "/api/models", "/api/models?full=true&config=true",
    "/api/models?sort=lastModified", "/api/models?expand=cardData&expand=evalResults&expand=config&expand=siblings",
    "/api/models?filter=nothing", "/datasets/alice/bench/leaderboard", "/api/datasets/alice/bench/leaderboard",
)  # fmt: skip


def commit(client: httpx.Client, name: str, files: dict[str, str | bytes], kind: str = "models") -> None:
    """Make a repository with these files."""
    user, _, short = name.partition("/")
    client.post("/api/repos/create", json={"name": short, "type": kind[:-1], "organization": user})
    lines: list[dict[str, object]] = [{"key": "header", "value": {"summary": "files"}}]
    for path, content in files.items():
        data = base64.b64encode(content if isinstance(content, bytes) else content.encode()).decode()
        lines.append({"key": "file", "value": {"path": path, "content": data, "encoding": "base64"}})
    body = "\n".join(map(json.dumps, lines)).encode()
    client.post(f"/api/{kind}/{name}/commit/main", content=body).raise_for_status()


@pytest.fixture(scope="module")
def stranger(hub) -> httpx.Client:
    """A Hub where alice has a model and a benchmark, and a client of mallory."""
    alice = hub.client("alice")
    commit(alice, "alice/bench", {"eval.yaml": "name: b\n"}, "datasets")
    result = "- dataset: {id: alice/bench, task_id: t}\n  value: 0.5\n"
    commit(alice, "alice/good", {"README.md": "---\ntags: [fine]\n---\nGood", ".eval_results/b.yaml": result})
    return hub.client("mallory")


def delete(client: httpx.Client, name: str) -> None:
    """Remove a repository of mallory, so that the next test finds nothing but its own."""
    client.request("DELETE", "/api/repos/delete", json={"name": name, "type": "model"})


def broken(hub) -> dict[str, int]:
    """Return the lists that do not answer, or that miss alice's model."""
    anybody = hub.client()
    answers = {path: anybody.get(path) for path in LISTS}
    found = {path: answer.status_code for path, answer in answers.items() if answer.status_code != 200}
    missing = {path: 0 for path in ("/", "/models", "/api/models") if "alice/good" not in answers[path].text}
    return found | missing


def test_no_card_breaks_a_list(hub, stranger):
    try:
        for key, card in CARDS.items():
            commit(stranger, f"mallory/card-{key}", {"README.md": f"---\n{card}\n---\n"})
        assert broken(hub) == {}
        for key in CARDS:
            assert hub.client().get(f"/mallory/card-{key}").status_code == 200, key
        assert "The metadata of this card cannot be read" in hub.client().get("/mallory/card-bool").text
    finally:
        for key in CARDS:
            delete(stranger, f"card-{key}")


@pytest.mark.parametrize("key", CONFIGS)
def test_no_model_config_breaks_a_list(hub, stranger, key):
    try:
        commit(stranger, "mallory/bad", {"config.json": CONFIGS[key], "README.md": "---\na: b\n---\n"})
        assert broken(hub) == {}
    finally:
        delete(stranger, "bad")


@pytest.mark.parametrize("place", ["value", "notes"])
@pytest.mark.parametrize("key", ["bool", "int", "base60"])
def test_no_evaluation_result_breaks_a_list(hub, stranger, key, place):
    fields = {"value": "1", "notes": "n"} | {place: CARDS[key].removeprefix("a: ")}
    rest = "".join(f"  {name}: {value}\n" for name, value in fields.items())
    try:
        commit(stranger, "mallory/bad", {".eval_results/x.yaml": "- dataset: {id: alice/bench, task_id: t}\n" + rest})
        assert broken(hub) == {}
    finally:
        delete(stranger, "bad")


def test_a_damaged_repository_breaks_its_own_page_only(hub, stranger):
    before = set(hub.root.glob("repos/*"))
    commit(stranger, "mallory/damaged", {"README.md": "---\na: c\n---\ndamaged"})
    [folder] = set(hub.root.glob("repos/*")) - before
    head = (folder / "refs" / "heads" / "main").read_text().strip()
    target = folder / "objects" / head[:2] / head[2:]
    target.chmod(0o644)
    target.write_bytes(b"no zlib")
    try:
        assert broken(hub) == {}
        assert "mallory/damaged" in hub.client().get("/models").text
        page = hub.client().get("/mallory/damaged", headers={"Accept": "text/html"})
        assert (page.status_code, "damaged on the disk" in page.text) == (500, True)
    finally:
        delete(stranger, "damaged")


def test_validation_refuses_without_failing(hub):
    anybody = hub.client()
    for key, card in CARDS.items():
        status = anybody.post(
            "/api/validate-yaml", json={"content": f"---\n{card}\n---\n", "repoType": "model"}
        ).status_code
        assert status in (200, 400), key


def test_long_base_60_numbers_take_no_time(hub):
    content = "---\na: 1" + ":59" * 80_000 + "\n---\n"
    started = time.monotonic()
    hub.client(timeout=20).post("/api/validate-yaml", json={"content": content, "repoType": "model"})
    assert time.monotonic() - started < 1.0
