"""Pages for people, over real HTTP: what they show, to whom, and that no link on them is broken."""

from __future__ import annotations

import base64
import html
import http.client
import json
import re
from urllib.parse import quote, urlencode, urljoin, urlsplit

import pytest

CARD = (
    b"---\nlicense: mit\nbase_model: ada/base\ndatasets: [ada/board]\n---\n# My model\n\nSee [notes](docs/notes.txt).\n"
)
OURS = ("/ada/shown", "/datasets/ada/board", "/collections/ada/best", "/models", "/-/")
STRANGE = [
    "<b onclick=x>.txt",
    "quo\"te'.txt",
    "spa ce & %2F #?.txt",
    "\u202egnp.exe",
    "ünï/çødé.txt",
    "a" * 200 + ".md",
]


@pytest.fixture(scope="module")
def get(hub):
    def request(path, *, token=None, method="GET", form=None, accept="text/html", **headers):
        connection = http.client.HTTPConnection(urlsplit(hub.url).netloc, timeout=30)
        headers = {name.replace("_", "-"): value for name, value in headers.items()} | {"Accept": accept}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, urlencode(form) if form else None, headers)
        answer = connection.getresponse()
        answer.text = answer.read().decode(errors="replace")
        connection.close()
        return answer

    return request


def commit(hub, name, files, summary="s", kind="model"):
    """Commit past the clients' own checks; returns the status."""
    lines = [{"key": "header", "value": {"summary": summary}}]
    for path, data in files.items():
        content = base64.b64encode(data).decode()
        lines.append({"key": "file", "value": {"path": path, "content": content, "encoding": "base64"}})
    connection = http.client.HTTPConnection(urlsplit(hub.url).netloc, timeout=30)
    headers = {"Authorization": "Bearer hf_ada_write", "Content-Type": "application/x-ndjson"}
    body = "".join(json.dumps(line) + "\n" for line in lines)
    connection.request("POST", f"/api/{kind}s/{name}/commit/main", body, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


@pytest.fixture(scope="module")
def shown(hub, api) -> str:
    """A model with everything that pages show, its dataset with a leaderboard, and a collection of both."""
    board = api.create_repo("ada/board", repo_type="dataset").repo_id
    task = b"name: b\ndescription: d\nevaluation_framework: inspect-ai\ntasks: [{id: accuracy, config: default}]\n"
    rows = "".join(json.dumps({"id": at, "text": f"<i>row {at}</i>"}) + "\n" for at in range(40)).encode()
    files = {"README.md": b"---\nlicense: mit\n---\n# Board\n", "eval.yaml": task, "data/test.jsonl": rows}
    commit(hub, board, files, kind="dataset")
    model = api.create_repo("ada/shown").repo_id
    api.create_repo("ada/base")
    result = b"- {dataset: {id: ada/board, task_id: accuracy}, value: 0.7511999999, notes: <u>mine</u>}\n"
    text = "".join(f"line {at}\n" for at in range(1, 41)).encode()
    commit(hub, model, {"README.md": CARD, "docs/notes.txt": text, ".eval_results/b.yaml": result}, "First things")
    changed = text.replace(b"line 20\n", b"line twenty\n").replace(b"line 33\n", b"")
    commit(hub, model, {"docs/notes.txt": changed, "<img src=x onerror=x>.txt": b"x", "empty": b""}, "Then <b>this</b>")
    commit(hub, model, dict.fromkeys(STRANGE, b"strange"), "Strange names")
    api.upload_file(path_or_fileobj=bytes(range(256)) * 50, path_in_repo="w.bin", repo_id=model)
    api.create_tag(model, tag="v1")
    api.create_branch(model, branch="dev/x")
    pull = api.upload_file(path_or_fileobj=b"new\n", path_in_repo="pulled.txt", repo_id=model, create_pr=True)
    api.comment_discussion(model, pull.pr_num, "**Good** <script>alert(1)</script> [n](docs/notes.txt)")
    shelf = api.create_collection("Best things", namespace="ada")
    api.add_collection_item(shelf.slug, model, "model", note="the <model>")
    api.add_collection_item(shelf.slug, board, "dataset")
    return model


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_a_card_shows_its_text_metadata_and_results(get, shown):
    page = get(f"/{shown}").text
    assert '<h1 id="card-my-model">My model</h1>' in page
    assert '<a href="/ada/shown/blob/main/docs/notes.txt"' in page
    assert '<a class="tag" href="/ada/base">ada/base</a>' in page
    assert '<a class="tag" href="/datasets/ada/board">ada/board</a>' in page
    assert "accuracy ada/board · <u>mine</u> 0.7512" in text_of(page)


def test_every_link_from_the_home_page_on_leads_somewhere(get, shown):
    seen, todo = set(), ["/", f"/{shown}", "/collections", "/ada", f"/{shown}/commit/main", f"/{shown}/discussions/1"]
    while todo and len(seen) < 400:
        path = todo.pop(0)
        if path in seen:
            continue
        seen.add(path)
        answer = get(path)
        assert answer.status in (200, 303), path
        if "text/html" not in answer.headers.get("Content-Type", ""):
            continue
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none';")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        for link in re.findall(r'(?:href|src)="([^"]*)"', answer.text):
            target = urljoin(path, html.unescape(link).split("#")[0])
            if target.startswith(OURS) and target not in seen:
                todo.append(target)
    assert len(seen) > 60


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_file_name_is_shown_as_text_and_its_page_opens(get, shown, name):
    folder, _, last = name.rpartition("/")
    tree = get(f"/{shown}/tree/main/{quote(folder)}").text
    assert "\u202e" not in tree
    assert "<b onclick" not in tree
    assert last.replace("\u202e", "\\u{202e}") in html.unescape(tree)
    answer = get(f"/{shown}/blob/main/{quote(name)}")
    assert answer.status == 200
    assert "strange" in answer.text


def test_a_commit_shows_what_it_changed_and_no_more(get, api, shown):
    oid = next(commit.commit_id for commit in api.list_repo_commits(shown) if commit.title.startswith("Then"))
    page = get(f"/{shown}/commit/{oid}").text
    assert "Then &lt;b&gt;this&lt;/b&gt;" in page
    found = re.findall(r'<tr class="(added|removed)">.*?</span>(.*?)</td>', page)
    assert found == [("added", "x"), ("removed", "line 20"), ("added", "line twenty"), ("removed", "line 33")]
    assert "line 17" in page
    assert "line 16<" not in page


def test_history_names_tags_and_branches(get, shown):
    page = get(f"/{shown}/commits/dev%2Fx").text
    assert '<a class="ref tag" href="/ada/shown/tree/v1">v1</a>' in page
    assert '<a class="ref branch" href="/ada/shown/tree/dev%2Fx">dev/x</a>' in page
    assert "initial commit" in page


def test_files_name_the_last_commit_that_changed_them(get, shown):
    page = text_of(get(f"/{shown}/tree/main").text)
    assert re.search(r"README.md \d+ B First things", page)
    assert "docs Then <b>this</b>" in page


def test_a_pull_request_shows_its_words_and_its_diff(get, shown):
    page = get(f"/{shown}/discussions/1").text
    assert "<strong>Good</strong>" in page
    assert "<script" not in page
    assert "pulled.txt" in page
    assert '<span class="sign">+</span>new</td>' in page
    assert '<a href="/ada/shown/blob/main/docs/notes.txt"' in page
    assert get(f"/{shown}/discussions/99").status == 404


def test_rows_of_a_dataset_and_its_leaderboard(get, shown):
    page = get("/datasets/ada/board/viewer").text
    assert "The first 25 rows of 40." in text_of(page)
    assert "&lt;i&gt;row 3&lt;/i&gt;" in page
    board = text_of(get("/datasets/ada/board/leaderboard").text)
    assert "accuracy Rank Model Value Notes 1 ada/shown 0.7512 <u>mine</u>" in board
    assert get("/datasets/ada/board/viewer/default/train").status == 404


def test_a_collection_keeps_its_order_and_notes(get, api, shown):
    slug = next(iter(api.list_collections(owner="ada"))).slug
    page = text_of(get(f"/collections/{slug}").text)
    assert page.index("ada/shown") < page.index("the <model>") < page.index("ada/board")
    assert get(f"/collections/ada/old-title-{slug[-24:]}").headers["Location"] == f"/collections/{slug}"


def test_search_filter_and_paging_of_the_home_page(get, api, shown):
    for number in range(33):
        api.create_repo(f"ada/many-{number:02}", repo_type="dataset")
    first = get("/datasets?search=many").text
    assert first.index("many-32") < first.index("many-31")
    assert "many-02" not in first
    second = get("/datasets?search=many&p=1").text
    assert "many-02" in second
    assert "many-03" not in second
    assert "Datasets 33" in text_of(first)
    assert "ada/shown" not in first
    assert "ada/shown" in get("/models?search=SHOWN%20ada").text
    assert get("/?search=%3Cscript%3E").text.count("<script") == 0
    assert get("/?p=x").status == 400
    assert get("/?p=99999999").status == 200


def test_a_private_repository_is_nothing_to_strangers_and_a_page_to_its_owner(get, hub, api):
    name = api.create_repo("ada/private-page", private=True).repo_id
    commit(hub, name, {"README.md": b"# Secret\n![p](p.png)\n", "p.png": b"x"})
    for path in (f"/{name}", f"/{name}/tree/main", f"/{name}/commits/main", f"/{name}/discussions"):
        assert get(path).status == 404
        assert "Secret" not in get(path, token="hf_bob_write").text
        assert text_of(get(path).text) == text_of(get(path.replace("private-page", "no-such-page")).text)
    assert "private-page" not in get("/").text + get("/ada").text
    cookie = sign_in(get, "hf_ada_read")
    assert "Secret" in get(f"/{name}", Cookie=cookie).text
    assert get(f"/{name}/resolve/main/p.png", Cookie=cookie, accept="*/*").text == "x"
    assert "private-page" in get("/", Cookie=cookie).text


def sign_in(get, token):
    answer = get("/-/login", method="POST", form={"token": token, "next": "/models"})
    assert answer.status == 303
    assert answer.headers["Location"] == "/models"
    value, *flags = answer.headers["Set-Cookie"].split("; ")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(flags)
    assert token not in value
    return value


def test_a_cookie_opens_pages_but_never_the_api(get, hub, api):
    cookie = sign_in(get, "hf_ada_write")
    assert "Sign out" in get("/", Cookie=cookie).text
    assert get("/api/whoami-v2", Cookie=cookie).status == 401
    assert get("/api/repos/create", method="POST", Cookie=cookie).status == 401
    name = api.create_repo("ada/cookie", private=True, exist_ok=True).repo_id
    assert get(f"/api/models/{name}", Cookie=cookie).status == 401


def test_bad_tokens_foreign_forms_and_damaged_cookies_sign_nobody_in(get):
    assert get("/-/login", method="POST", form={"token": "hf_wrong"}).status == 403
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}):
        answer = get("/-/login", method="POST", form={"token": "hf_ada_read"}, **headers)
        assert answer.status == 403
        assert "Set-Cookie" not in answer.headers
        assert get("/-/logout", method="POST", form={"x": "y"}, **headers).status == 403
    cookie = sign_in(get, "hf_ada_read")
    for damaged in (cookie[:-3], cookie + "x", "a=b", cookie.split("=")[0] + '="', ";;==", "ö" * 20):
        answer = get("/", Cookie=damaged)
        assert answer.status == 200
        assert "Sign in" in answer.text
    gone = get("/-/logout", method="POST", form={"x": "y"}, Cookie=cookie).headers["Set-Cookie"]
    assert "Max-Age=0" in gone
    assert get("/-/logout").status == 404


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "x", ""]
)
def test_signing_in_never_leads_away(get, target):
    answer = get("/-/login", method="POST", form={"token": "hf_ada_read", "next": target})
    assert answer.headers["Location"] == "/"


UNKNOWN = [
    "/nobody-here", "/ada/nothing", "/datasets/ada/nothing", "/ada/shown/tree/nope", "/ada/shown/tree/main/nope",
    "/ada/shown/blob/main/nope", "/ada/shown/commit/0000000", "/ada/shown/commits/a..b", "/ada/shown/tree/%2e%2e",
    "/ada/shown/blob/main/../../x", "/ada/shown/tree/main/..%2f..", "/ada/shown/blob", "/ada/shown/blob/main/%00",
    "/ada/shown/nothing", "/collections/ada/x", "/ada/shown/discussions/x", "/ada/shown/tree/refs%2Fheads", "/-/x",
    "/ada/shown/leaderboard", "/a/b/c/d/e", "/ada//tree/main", "/ada/shown/commit/" + "a" * 5000, "/-/../-/style.css",
]  # fmt: skip


@pytest.mark.parametrize("path", UNKNOWN)
def test_what_is_not_there_is_a_page_to_browsers_and_json_to_clients(get, shown, path):
    page = get(path)
    assert page.status == 404
    assert "<h1>Not found</h1>" in page.text
    assert page.headers["Content-Security-Policy"]
    answer = get(path, accept="*/*")
    assert answer.status in (401, 404)
    assert "error" in json.loads(answer.text)


def test_addresses_of_files_and_the_api_answer_browsers_as_they_answer_clients(get, shown):
    for path in (f"/{shown}/resolve/main/nope", f"/{shown}/raw/main/nope", "/api/models/ada/nope", "/lfs/x"):
        assert get(path).headers["Content-Type"] == "application/json"
    assert get("/%ff").status == 400


def test_a_moved_repository_and_other_letter_case_lead_to_its_present_address(get, api, shown):
    api.create_repo("ada/was")
    api.move_repo("ada/was", "ada/is-now")
    assert get("/ada/was/tree/main/a%20b").headers["Location"] == "/ada/is-now/tree/main/a%20b"
    assert get("/models/ada/WAS").headers["Location"] == "/ada/is-now"
    assert get("/ADA/SHOWN/blob/main/w.bin").headers["Location"] == "/ada/shown/blob/main/w.bin"


CARDS = {
    "invalid YAML": (b"---\na: [\n---\n# Text\n", "cannot be read"),
    "YAML that is no mapping": (b"---\n- a\n---\n# Text\n", "cannot be read"),
    "not UTF-8": (b"# Text \xff\xfe \x80", "Text"),
    "empty": (b"", "no text"),
    "metadata only": (b"---\nlicense: mit\n---\n", "no text"),
    "huge": (b"# Text\n\n" + b"word " * 100_000, "Only the beginning"),
    "too large": (b"# x\n" + b"word " * 1_000_000, "too large"),
    "deep metadata": (b"---\na: " + b"[" * 900 + b"]" * 900 + b"\n---\n# Text\n", "Text"),
    "hostile metadata": (b"---\n'<script>': ['<script>', {a: '<b>'}, .nan]\nbase_model: {a: b}\n---\n# Text\n", "Text"),
    "control characters": (b"# Text \0\x1b[0m \xe2\x80\xae", "Text"),
}


@pytest.mark.parametrize("name", CARDS)
def test_a_broken_card_is_still_a_page(get, hub, api, name):
    data, expected = CARDS[name]
    api.create_repo("ada/broken", exist_ok=True)
    assert commit(hub, "ada/broken", {"README.md": data}) == 200
    answer = get("/ada/broken")
    assert answer.status == 200
    assert expected in answer.text
    assert "<script" not in answer.text


FILES = {
    "binary.dat": (b"\0\1\2" * 100, "not text"),
    "latin1.txt": ("größe".encode("latin-1"), "gr\ufffd\ufffde"),
    "long.txt": (b"x\n" * 10_000, "Only the beginning"),
    "one-line.txt": (b"y" * 500_000, "Only the beginning"),
    "page.html": (b"<script>alert(1)</script>", "&lt;script&gt;"),
    "trojan.py": ("if x: # \u202e\u2066".encode(), "\\u{202e}"),
    "broken.jsonl": (b'{"a": 1}\nnot json\n', "line 2 is not JSON"),
    "list.jsonl": (b"[1]\n2\nnull\n", "value"),
    "deep.jsonl": (b"[" * 200_000 + b"\n", "not JSON"),
    "empty.jsonl": (b"", "empty"),
    "wide.jsonl": (json.dumps({f"c{at}": at for at in range(3000)}).encode(), "2960 more columns"),
    "endless.jsonl": (b'{"a": "' + b"x" * 3_000_000, "longer than 2.1 MB"),
    "broken.parquet": (b"PAR1" + b"x" * 50 + b"PAR1", "No preview"),
}


@pytest.mark.parametrize("name", FILES)
def test_any_file_has_a_page(get, hub, api, name):
    data, expected = FILES[name]
    api.create_repo("ada/files", exist_ok=True)
    assert commit(hub, "ada/files", {name: data}) == 200
    answer = get(f"/ada/files/blob/main/{name}")
    assert answer.status == 200
    assert expected in answer.text
    assert len(answer.text) < 2_000_000


def test_pages_answer_head_and_refuse_other_methods(get, shown):
    answer = get(f"/{shown}", method="HEAD")
    assert (answer.status, answer.text) == (200, "")
    for method in ("POST", "PUT", "DELETE"):
        assert get(f"/{shown}", method=method).status == 404


def test_a_gated_repository_shows_its_card_but_no_file(get, hub, api):
    name = api.create_repo("ada/gated-page").repo_id
    commit(hub, name, {"README.md": b"# Open card\n", "secret.txt": b"closed content"})
    api.update_repo_settings(name, gated="manual")
    assert "Open card" in get(f"/{name}").text
    for path in ("blob/main/secret.txt", "commit/main", "tree/main"):
        answer = get(f"/{name}/{path}")
        assert answer.status in (401, 403)
        assert "closed content" not in answer.text
        assert "restricted" in answer.text
