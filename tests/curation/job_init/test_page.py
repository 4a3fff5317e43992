"""The page on which test conversations are approved, used as a browser without scripts uses it."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from harness.curation.job_init.review import TODO, read_review, take_pending
from harness.data.formats.published import read_test_conversations
from support import tft


@pytest.fixture
def job(page):
    return page.folder


def states(folder):
    return [one.state for one in read_review(folder).decisions]


def messages(folder, at=0):
    return read_test_conversations(folder / "test.jsonl")[at].messages


def place(answer):
    status, headers, _ = answer
    assert status == 303
    return headers["Location"].split("/", 2)[2]


def test_each_decision_leads_to_the_next_conversation_to_decide_and_at_last_to_the_overview(job, page):
    assert place(page.get("")) == "c/1"
    assert place(page.post("c/2", version=page.version("c/2"), decision="accept")) == "c/3"
    assert place(page.post("c/3", version=page.version("c/3"), decision="drop")) == "c/1"
    assert place(page.post("c/3", version=page.version("c/3"), decision="reopen")) == "c/3"
    assert place(page.post("undo")) == "c/3"
    assert place(page.post("c/1", version=page.version("c/1"), decision="accept")) == "done"
    assert states(job) == ["accepted", "accepted", "dropped"]
    assert "All decided" in page.get("done")[2]


def test_what_was_taken_without_a_look_is_still_to_be_looked_at(job, page):
    take_pending(job)
    assert place(page.get("")) == "c/1"
    assert "3 not looked at" in page.get("done")[2]
    assert place(page.post("c/1", version=page.version("c/1"), decision="accept")) == "c/2"
    assert [one.by for one in read_review(job).decisions] == ["a person", "--yes", "--yes"]
    assert "1 of 3 looked at" in page.get("c/2")[2]


@pytest.mark.parametrize(
    ("path", "fields", "at", "becomes"),
    [
        ("edit/1", {"tool": "Find", "arguments": '{"city": "Bern"}'}, 1, ("Find", {"city": "Bern"})),
        ("edit/1", {"tool": "Book", "arguments": "{}"}, 1, ("Book", {})),
        ("edit/3", {"tool": "", "text": "None.\r\nSorry."}, 3, "None.\nSorry."),
        ("edit/3", {"tool": "Book", "arguments": '{"seats": 2}', "result": "ok"}, 3, ("Book", {"seats": 2})),
        ("edit/3", {"do": "remove"}, 3, None),
        ("add/3", {"tool": "Book", "arguments": "{}", "result": "ok"}, 3, ("Book", {})),
        ("add/0", {"tool": "", "text": " Hi "}, 0, " Hi "),
    ],
)
def test_turns_are_corrected_added_and_removed(job, page, path, fields, at, becomes):
    status, _, _ = page.post(f"c/1/{path}", version=page.version("c/1"), **fields)
    assert status == 303
    turn = messages(job)[at] if at < len(messages(job)) else None
    called = [(call.name, call.arguments) for call in turn.tool_calls] if turn else []
    assert (called[0] if called else turn and turn.content) == becomes
    assert states(job)[0] == "corrected"
    assert "not as logged" in page.get("c/1")[2] or becomes is None


@pytest.mark.parametrize(
    ("fields", "becomes"),
    [
        ({"tool": "Find", "arguments": '{"city": "Bern"}', "result": "[1]"}, "[1]"),
        ({"tool": "Find", "arguments": '{"city": "Bern"}', "result": "a\\u202eb\\u000d"}, "a\u202eb\r"),
        ({"tool": "Find", "arguments": '{"city": "Bern"}', "result": ""}, None),
    ],
)
def test_the_result_of_a_call_can_be_corrected_and_stays_as_it_is_otherwise(job, page, fields, becomes):
    path = job / "test.jsonl"
    path.write_text(path.read_text().replace('"[]"', r'"a\u202eb\r"'))
    assert "a\\u202eb\\u000d</textarea>" in page.get("c/1/edit/1")[2]
    assert page.post("c/1/edit/1", version=page.version("c/1"), **fields)[0] == 303
    found = [message.content for message in messages(job) if message.role == "tool"]
    assert found == ([becomes] if becomes else [])


@pytest.mark.parametrize(
    ("path", "fields", "field", "says"),
    [
        ("edit/1", {"tool": "Find", "arguments": "{'city': 1}"}, "arguments", "no JSON (line 1, column 2"),
        ("edit/1", {"tool": "Find", "arguments": '{"town": "Bern"}'}, "arguments", "required property"),
        ("edit/1", {"tool": "Find", "arguments": '["Bern"]'}, "arguments", "must be a JSON object"),
        ("edit/1", {"tool": "Book", "arguments": '{"seats": NaN}'}, "arguments", "cannot be used"),
        ("edit/1", {"tool": "Book", "arguments": '{"a": "\\ud800"}'}, "arguments", "half a character"),
        ("edit/1", {"tool": "Book", "arguments": "[" * 9999}, "arguments", "cannot be used"),
        ("edit/1", {"tool": "Pay", "arguments": "{}"}, "tool", "no tool of this name; choose one of Find, Book"),
        ("edit/3", {"tool": "", "text": " \n"}, "text", "A reply needs a text"),
        ("edit/1", {"tool": "", "text": "Hi"}, "", "no call would be left"),
        ("edit/1", {"do": "remove"}, "", "no call would be left"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_nothing_is_saved(job, page, path, fields, field, says):
    before = [(job / name).read_bytes() for name in ("test.jsonl", TODO)]
    status, _, shown = page.post(f"c/1/{path}", version=page.version("c/1"), **fields)
    assert status == 422
    if field:
        assert says in re.search(f'id="wrong-{field}">(.*?)</p>', shown.replace("&#39;", "'"))[1]
        assert re.search(f'id="{field}"[^>]* aria-invalid="true" aria-describedby="wrong-{field}"', shown)
    else:
        assert says in re.search(r'role="alert"[^>]*>(.*?)</p>', shown)[1]
    assert [(job / name).read_bytes() for name in ("test.jsonl", TODO)] == before


def test_a_stale_page_is_refused_with_a_sentence_and_shows_the_present_and_what_was_written(job, page):
    old = page.version("c/1")
    assert page.post("c/1/edit/3", version=old, tool="", text="Which city?")[0] == 303
    for path, fields in (("c/1", {"decision": "drop"}), ("c/1/edit/3", {"tool": "", "text": "My words"})):
        status, _, shown = page.post(path, version=old, **fields)
        assert status == 409
        assert "was changed meanwhile" in shown
        assert f'value="{page.version("c/1")}"' in shown
    assert "My words</textarea>" in shown
    assert page.post("c/1/edit/3", version=page.version("c/1"), do="remove")[0] == 303
    status, _, shown = page.post("c/1/edit/3", version=old, tool="", text="My words")
    assert status == 409
    assert "My words" in shown
    assert states(job) == ["corrected", "pending", "pending"]


def test_text_of_conversations_is_shown_as_text_with_hidden_characters_spelled_out(job, page):
    hostile = '</textarea><script>alert(1)</script>" onfocus="x \u202e\u200b{{ 7 * 7 }}'
    path = job / "test.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[0]["messages"][0]["content"] = rows[0]["messages"][2]["content"] = rows[0]["messages"][3]["content"] = hostile
    rows[0]["messages"][1]["tool_calls"][0]["function"] = {"name": hostile, "arguments": json.dumps({hostile: hostile})}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for address in ("c/1", "c/1/edit/1", "c/1/edit/3", "c/1/add/4"):
        shown = page.get(address)[2]
        assert shown.count("<script") == shown.count('src="') == 1, address
        assert "\u202e" not in shown
        assert "\\u202e\\u200b{{ 7 * 7 }}" in shown
        assert not re.search(r'<[^>]* onfocus="', shown)
    spelled = hostile.replace("\u202e", "\\u202e").replace("\u200b", "\\u200b")
    assert page.post("c/1/edit/3", version=page.version("c/1"), tool="", text=spelled)[0] == 303
    assert messages(job)[3].content == hostile, "saved as it was shown, it stays as it is"


def test_files_that_a_hand_broke_are_said_on_the_page_until_they_are_mended(job, page):
    text = (job / TODO).read_text()
    (job / TODO).write_text(text.replace("- [ ] `b`", "- [ok] `b`"))
    for status, _, shown in (page.get("c/1"), page.post("undo"), page.post("c/1", version="x", decision="drop")):
        assert status == 409
        assert "line 19" in shown
    (job / TODO).write_text(text)
    assert page.get("c/1")[0] == 200


def test_what_the_disk_refuses_is_said_on_the_page(job, page):
    version = page.version("c/1")
    (job / ".lock").mkdir()  # where the file is made that keeps others out
    try:
        status, _, shown = page.post("c/1", version=version, decision="drop")
    finally:
        (job / ".lock").rmdir()
    assert (status, "Is a directory" in shown) == (500, True)
    assert states(job) == ["pending"] * 3


def test_the_command_serves_until_ctrl_c_and_says_what_was_decided(job):
    command = [tft.TFT, "job", "review", job, "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert re.fullmatch(r"Review page: http://127\.0\.0\.1:\d+/[\w-]{32}/\n", process.stdout.readline())
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "0 of 3 looked at (0 corrected, 0 dropped), 0 taken without a look, 3 to do" in out
    assert time.monotonic() - began < 10
    assert not list(job.glob("*.html"))


def test_the_browser_is_led_by_a_file_of_the_user_alone_and_the_secret_is_no_argument(job, tmp_path):
    """Other users of the machine see the arguments of every program."""
    browser, seen = tmp_path / "browser", tmp_path / "seen"
    browser.write_text(f'#!/bin/sh\nstat -c %a "${{1#file://}}" >{seen}.new\ncat "${{1#file://}}" >>{seen}.new\n'
                       f'echo "$1" >>{seen}.new\nmv {seen}.new {seen}\n')  # fmt: skip
    browser.chmod(0o700)
    environment = {**os.environ, "BROWSER": f"{browser} %s"}
    command = [tft.TFT, "job", "review", job]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        url = process.stdout.readline().split()[-1]
        end = time.monotonic() + 20
        while not seen.is_file() and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    mode, page, argument = seen.read_text().split("\n", 2)
    assert mode == "600"
    assert f'content="0; url={url}"' in page
    assert url not in argument
    assert process.returncode == 0
    assert not list(job.glob("*.html"))


def test_yes_takes_all_without_a_look(job):
    done = tft.run(["job", "review", job, "--yes"], environment=dict(os.environ), folder=job).worked()
    assert "0 of 3 looked at (0 corrected, 0 dropped), 3 taken without a look, 0 to do" in done.out
    assert [one.by for one in read_review(job).decisions] == ["--yes"] * 3
