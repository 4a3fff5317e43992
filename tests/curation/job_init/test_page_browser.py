"""The page in a real browser: all of it by the keyboard, on a phone's width, with a name for everything."""

import json

import pytest

from harness.curation.job_init.review import read_review
from harness.data.formats.published import read_test_conversations
from support import chromium

pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium.CHROMIUM is None, reason="needs Chromium")]
FOCUS = "document.activeElement"


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with chromium.tab(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


def test_the_keyboard_is_enough(page, tab):
    tab.problems.clear()  # of pages that other tests have opened
    tab.ask("Page.navigate", url=page.url)
    tab.until("location.pathname.endsWith('/c/1')")
    tab.press("?")
    tab.until("document.querySelector('#help').open")
    tab.press("a")  # does nothing behind the help
    tab.press("Escape")
    tab.until("!document.querySelector('#help').open")

    tab.press("j")
    tab.press("j")
    tab.until(f"{FOCUS}.id == 'turn-1' && getComputedStyle({FOCUS}).outlineStyle == 'solid'")
    tab.press("e")
    tab.until(f"{FOCUS}.id == 'arguments'")
    tab.write_over('{"town": "Bern"}')
    tab.press("Enter", control=True)
    tab.until(f"{FOCUS}.getAttribute('aria-describedby') == 'wrong-arguments'")
    assert "required property" in tab.value("document.getElementById('wrong-arguments').textContent")
    tab.write_over('{"city": "Bern"}')
    tab.press("Enter", control=True)
    tab.until(f"{FOCUS}.id == 'turn-1' && document.title.includes('corrected')")

    tab.press("a")
    tab.until("location.pathname.endsWith('/c/2')")
    tab.press("i")
    tab.until(f"{FOCUS}.id == 'text'")
    tab.write_over("Not yet")
    tab.press("Escape")
    tab.until("location.pathname.endsWith('/c/2')")
    assert tab.questions == ["beforeunload"], "whether to leave without saving"
    tab.press("d")
    tab.until("location.pathname.endsWith('/c/3')")
    tab.press("u")
    tab.until("location.pathname.endsWith('/c/2') && document.title.includes('to do')")
    tab.press("ArrowRight")
    tab.until("location.pathname.endsWith('/c/3')")
    tab.press("d")
    tab.until("location.pathname.endsWith('/c/2')")
    tab.press("a")
    tab.until("location.pathname.endsWith('/done') && document.body.innerText.includes('All decided')")

    assert [one.state for one in read_review(page.folder).decisions] == ["corrected", "accepted", "dropped"]
    found = read_test_conversations(page.folder / "test.jsonl")[0]
    assert found.messages[1].tool_calls[0].arguments == {"city": "Bern"}
    refused = [problem for problem in tab.problems if "422" not in problem]  # the form that was wrong
    assert refused == []


@pytest.mark.parametrize("path", ["c/1", "c/1/edit/1", "c/1/add/1", "done", "c/9"])
def test_every_page_fits_a_phone_and_names_what_can_be_used(page, tab, path):
    tab.ask("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=True)
    row = page.folder / "test.jsonl"
    row.write_text(row.read_text().replace("A table", "A" * 500).replace("Albany", json.dumps("x" * 500)[1:-1]))
    tab.ask("Page.navigate", url=page.url + path)
    tab.until(f"location.pathname.endsWith('{path}')")
    assert tab.value("document.documentElement.scrollWidth") <= 390
    nodes = tab.ask("Accessibility.getFullAXTree")["nodes"]
    used = [node for node in nodes if node.get("role", {}).get("value") in ("link", "button", "textbox", "combobox")]
    assert used
    assert [node for node in used if not node.get("name", {}).get("value")] == []
    loaded = tab.value("performance.getEntriesByType('resource').map((one) => one.name)")
    assert {address.removeprefix(page.url) for address in loaded} <= {"style.css", "page.js", "data:,"}
