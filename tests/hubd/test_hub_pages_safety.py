"""Cards and comments are hostile: nothing of them runs, loads or leaves its place."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.hubd.bounds import Budget
from harness.hubd.pages import markdown
from harness.hubd.pages.markdown import Place
from harness.hubd.pages.page import shown
from support.hostile_cards import CANARY, PAYLOADS
from support.http_server import Handler, serving

PLACE = Place(web_path="ada/card", revision="main")
OUTSIDE = "http://outside.example"


def safe_html(text: str, place: Place) -> str:
    """Return what a page shows of a card."""
    return markdown.prose(text, place, Budget(markdown.SECONDS)).html


class Reader(HTMLParser):
    """Collects tags and attributes, and checks that every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("img", "br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(html: str) -> list[tuple[str, dict[str, str]]]:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open
    return reader.found


@pytest.mark.parametrize("text", PAYLOADS, ids=range(len(PAYLOADS)))
def test_what_a_card_becomes_has_allowed_tags_with_allowed_attributes_only(text):
    for tag, attributes in read(safe_html(text.replace(CANARY, OUTSIDE), PLACE)):
        assert tag in markdown.TAGS
        added = {"rel"} if tag == "a" else {"loading"} if tag == "img" else set()
        allowed = markdown.ATTRIBUTES.get(tag, set()) | added
        assert set(attributes) <= allowed
        if "src" in attributes:
            assert attributes["src"].startswith(("/ada/card/resolve/", "data:image/png;base64,"))
        if "href" in attributes:
            assert re.match(r"https?://|mailto:|#|/", attributes["href"])
        assert not attributes.get("id") or attributes["id"].startswith(markdown.ID_PREFIX)


def test_links_and_pictures_of_a_card_lead_into_its_repository():
    place = Place(web_path="datasets/ada/x y", revision="refs/pr/1", folder="docs")
    base = "/datasets/ada/x%20y"
    cases = {
        "[a](notes.md)": f'href="{base}/blob/refs%2Fpr%2F1/docs/notes.md"',
        "[a](../../../etc/passwd)": f'href="{base}/blob/refs%2Fpr%2F1/etc/passwd"',
        "[a](%2e%2e/%2e%2e/-/logout)": f'href="{base}/blob/refs%2Fpr%2F1/-/logout"',
        "[a](#part-2)": 'href="#card-part-2"',
        "[a](/models)": 'href="/models"',
        "![p](a%20b.png)": f'src="{base}/resolve/refs%2Fpr%2F1/docs/a%20b.png"',
        "<img src='../p.png' width=40 height=auto>": f'src="{base}/resolve/refs%2Fpr%2F1/p.png" width="40"',
    }
    for text, expected in cases.items():
        assert expected in safe_html(text, place), text


def test_a_picture_from_outside_is_a_link_that_loads_nothing():
    html = safe_html(f"![the plot]({OUTSIDE}/p.png) [![badge]({OUTSIDE}/b.png)]({OUTSIDE}/ci)", PLACE)
    assert "<img" not in html
    assert f'<a href="{OUTSIDE}/p.png" rel="noopener noreferrer nofollow">the plot</a>' in html
    assert "<span>badge</span></a>" in html


def test_a_root_relative_picture_cannot_call_pages_of_the_hub():
    assert "<img" not in safe_html("![x](/-/logout) ![y](/bob/other) ![z](/ada/card/resolve/../../../-/login)", PLACE)


def test_headings_get_anchors_that_a_table_of_contents_finds():
    html = safe_html("# One two\n\n# One two\n\n[to](#one-two-1)", PLACE)
    assert 'id="card-one-two"' in html
    assert 'id="card-one-two-1"' in html
    assert 'href="#card-one-two-1"' in html


def test_plain_markdown_is_shown_as_it_was_meant():
    html = safe_html("| a | b |\n|--|--:|\n| 1 | ~~2~~ |\n\n<details><summary>s</summary>\n\n**x**\n</details>", PLACE)
    assert '<td align="right"><s>2</s></td>' in html
    assert "<strong>x</strong>" in html
    assert "style" not in html


SLOW_TEXTS = {
    "brackets": "[" * 200_000, "stars": "*a_ " * 50_000, "quotes": ">" * 200_000, "links": "[a](" * 50_000,
    "lists": "\n".join("  " * n + "- x" for n in range(300)), "entities": "&amp;" * 40_000, "ticks": "`" * 99_999 + " ",
    "ticks of all lengths": " ".join("`" * n for n in range(1, 600)), "tags": "<div>" * 40_000,
    "attributes": "<a " * 60_000,
    "images": "![](" * 50_000, "tables": "|a" * 60_000 + "\n" + "|-" * 60_000, "emphasis": "**a *b " * 28_000,
    "references": "".join(f"[{n}]: /x\n" for n in range(15_000)),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW_TEXTS)
def test_a_card_made_to_be_slow_is_shown_or_cut_in_seconds(name):
    import time

    started = time.process_time()
    safe_html(SLOW_TEXTS[name], PLACE)
    assert time.process_time() - started < 6


def test_control_and_direction_characters_are_visible():
    assert shown("a\u202egnp.exe") == "a\\u{202e}gnp.exe"
    assert shown("x\x1b[31m\x00") == "x\\u{1b}[31m\\u{0}"
    assert shown("tab\tline\nübel 東京 \u00a0") == "tab\tline\nübel 東京  "


@pytest.fixture
def canary() -> Iterator[tuple[str, list[str]]]:
    seen: list[str] = []

    class Canary(Handler):
        def do_GET(self):
            seen.append(self.path)
            self.send(200, "", "text/plain")

        do_POST = do_HEAD = do_OPTIONS = do_GET

    with serving(Canary) as server:
        yield server.url, seen


def browse(url: str, profile: Path) -> tuple[str, str]:
    """Open a page in a real browser; return its document after three seconds, and what its console said."""
    command = [
        shutil.which("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", f"--user-data-dir={profile}",
        "--enable-logging=stderr", "--virtual-time-budget=3000", "--dump-dom", url,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=80, check=True)
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_in_a_browser_no_hostile_card_runs_or_loads_anything(hub, api, canary, tmp_path):
    address, seen = canary
    name = api.create_repo("ada/hostile", exist_ok=True).repo_id
    texts = [text.replace(CANARY, address) for text in PAYLOADS]
    for order in (texts, texts[::-1]):  # some swallow what follows
        card = "\n\n".join(["---\nlicense: mit\n---\n# Card", *order]).encode()
        api.upload_file(path_or_fileobj=card, path_in_repo="README.md", repo_id=name)
        document, console = browse(f"{hub.url}/{name}", tmp_path / "profile")
        assert "<title>ada/hostile</title>" in document
        assert 'id="card-card"' in document, "the card was shown at all"
        assert console == ""
        assert seen == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_the_browser_itself_would_run_and_load_them(canary, tmp_path):
    """The test above can fail: the same texts in a page without our care do run and do load."""
    address, seen = canary
    page = tmp_path / "page.html"
    body = "".join(PAYLOADS[at].replace(CANARY, address) for at in (5, 9, 45))
    page.write_text(f"<title>calm</title>{body}")
    document, _ = browse(page.as_uri(), tmp_path / "profile")
    assert "<title>owned</title>" in document
    assert "/pixel.png" in seen
