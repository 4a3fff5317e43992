"""A job folder with held-out conversations, and its page served over HTTP."""

import http.client
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from harness.curation.job_init.corrections import ReviewDesk
from harness.curation.job_init.page.serve import review_page
from harness.curation.job_init.review import write_todo
from harness.data.formats.jsonl import write_jsonl
from harness.data.formats.messages import dump_conversation
from harness.data.records import Conversation, Message, ToolCall

TOOLS = [
    {
        "name": "Find",
        "parameters": {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}},
    },
    {"name": "Book", "parameters": {"type": "object", "properties": {"seats": {"type": "integer"}}}},
]


def conversation(id, words="A table"):
    messages = (
        Message(role="user", content=words),
        Message(role="assistant", tool_calls=(ToolCall(name="Find", arguments={"city": "Albany"}, id="1"),)),
        Message(role="tool", content="[]", tool_call_id="1"),
        Message(role="assistant", content="None is free."),
    )
    return Conversation(id=id, messages=messages, source="here")


def make_job(folder):
    listed = [conversation(id) for id in "abc"]
    (folder / "job_description.json").write_text(json.dumps({"task_description": "Book tables.", "tools": TOOLS}))
    for name in ("test.jsonl", "test.logged.jsonl"):
        write_jsonl(folder / name, map(dump_conversation, listed))
    write_todo(folder, listed)
    return folder


@pytest.fixture
def job(tmp_path):
    """A job folder with three held-out conversations, a to c."""
    return make_job(tmp_path)


@dataclass(frozen=True)
class Page:
    """The page as a client without a script sees it."""

    url: str
    folder: Path

    @property
    def port(self):
        return urlsplit(self.url).port

    @property
    def root(self):
        return urlsplit(self.url).path.rstrip("/")

    def ask(self, method, path, body=None, headers=()):
        """Return status, headers and text of an answer; `path` is as it is sent."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def get(self, path):
        return self.ask("GET", f"{self.root}/{path}")

    def post(self, path, **fields):
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{self.port}"}
        return self.ask("POST", f"{self.root}/{path}", urlencode(fields), headers)

    def version(self, path):
        """Return the version of the conversation that a page shows."""
        return re.search(r'name="version" value="(\w+)"', self.get(path)[2])[1]


@contextmanager
def served(folder):
    with review_page(ReviewDesk(folder)) as page:
        thread = threading.Thread(target=page.run)
        thread.start()
        try:
            yield Page(page.url, folder)
        finally:
            page.server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def lasting_page(tmp_path_factory):
    with served(make_job(tmp_path_factory.mktemp("job"))) as page:
        yield page


@pytest.fixture
def page(lasting_page):
    """The page of a job folder that is as new; the server has lasted, since it takes a while to stop."""
    make_job(lasting_page.folder)
    return lasting_page
