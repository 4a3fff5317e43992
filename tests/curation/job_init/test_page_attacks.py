"""Who is not the person before the browser neither sees the page nor changes anything: other sites, users, programs."""

import contextlib
import socket
import time

import pytest

from harness.curation.job_init.page import serve
from harness.curation.job_init.page.guard import BODY_LIMIT

FORM = "application/x-www-form-urlencoded"


def raw(page, *pieces, wait=10):
    """Send bytes as they are and return what comes back until the connection ends."""
    with socket.create_connection(("127.0.0.1", page.port), timeout=wait) as connection:
        for piece in pieces:
            connection.sendall(piece)
        with contextlib.suppress(ConnectionResetError):
            return b"".join(iter(lambda: connection.recv(1 << 16), b""))
        return b""


@pytest.mark.parametrize(
    "path", ["/", "/done", "/c/1", "/style.css", "/x/c/1", "//", "/{root}x/done", "/%2e%2e/", "/é/"]
)
def test_without_the_secret_nothing_is_there(page, path):
    sent = path.replace("/{root}", page.root)
    answer = raw(page, f"GET {sent} HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\n\r\n".encode())
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400"))
    assert b"session" not in answer


@pytest.mark.parametrize("hosts", [[], ["evil.example"], ["127.0.0.1"], ["127.0.0.1:1"], ["localhost.evil.example:{}"],
                                   ["127.0.0.1:{}", "127.0.0.1:{}"], ["192.168.0.1:{}"]])  # fmt: skip
def test_only_the_loopback_host_with_the_port_is_answered(page, hosts):
    lines = "".join(f"Host: {host.format(page.port)}\r\n" for host in hosts)
    answer = raw(page, f"GET {page.root}/c/1 HTTP/1.1\r\n{lines}\r\n".encode())
    assert answer.startswith((b"HTTP/1.1 421", b"HTTP/1.1 400"))
    assert b"Albany" not in answer
    assert page.ask("GET", f"{page.root}/c/1", headers={"Host": f"localhost:{page.port}"})[0] == 200


FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "https://127.0.0.1:{}"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_page_of_another_site_changes_nothing(page, headers):
    before = (page.folder / "test.todo.md").read_bytes()
    headers = {name: value.format(page.port) for name, value in headers.items()}
    body = f"decision=drop&version={page.version('c/1')}"
    status, _, said = page.ask("POST", f"{page.root}/c/1", body, {"Content-Type": FORM, **headers})
    assert (status, "another site" in said) == (403, True)
    assert (page.folder / "test.todo.md").read_bytes() == before


def test_a_page_of_another_site_embeds_nothing_but_may_lead_here(page):
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "iframe"}):
        assert page.ask("GET", f"{page.root}/c/1", headers=headers)[0] == 403
    opened = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert page.ask("GET", f"{page.root}/c/1", headers=opened)[0] == 200


def test_every_answer_forbids_scripts_frames_and_resources_of_others(page):
    for path in ("c/1", "c/9", "done", "style.css", "page.js", "nothing"):
        _, headers, text = page.get(path)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
        assert "://" not in text.replace("http://127.0.0.1", "")
        assert "style=" not in text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_methods_that_no_page_needs_are_refused(page, method):
    assert page.ask(method, f"{page.root}/c/1")[0] in (400, 404, 405)


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "multipart/form-data; boundary=x", ""])
def test_only_forms_are_taken(page, kind):
    assert page.ask("POST", f"{page.root}/undo", "{}", {"Content-Type": kind})[0] == 415


@pytest.mark.parametrize(
    "path",
    ["../test.jsonl", "%2e%2e/test.jsonl", "static/style.css", "app.py", "c/0", "c/4", "c/-1", "c/1e1", "c/%D9%A1",
     "c/1/edit/0", "c/1/edit/2", "c/1/edit/99", "c/1/add/5", "c/1/drop/1", "c/" + "9" * 5000, "c/1/edit/..%2f..%2f",
     "style.css/", "%00"],
)  # fmt: skip
def test_addresses_of_nothing_lead_to_nothing(page, path):
    assert page.get(path)[0] in (404, 307)


def test_bodies_heads_and_forms_have_bounds(page):
    before = (page.folder / "test.todo.md").read_bytes()
    head = f"POST {page.root}/undo HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\nContent-Type: {FORM}\r\n"
    large = f"{head}Content-Length: {BODY_LIMIT + 1}\r\n\r\n".encode()
    assert raw(page, large, b"a" * (BODY_LIMIT + 1)).startswith(b"HTTP/1.1 413")
    chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    answer = b""
    with contextlib.suppress(ConnectionError):
        answer = raw(page, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode(), *[chunk] * 17, b"0\r\n\r\n")
    assert not answer or answer.startswith(b"HTTP/1.1 413")
    many = f"GET {page.root}/ HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\nX: {'a' * 40_000}\r\n\r\n"
    assert raw(page, many.encode()).startswith(b"HTTP/1.1 431")
    assert page.post("undo", **{f"f{number}": "" for number in range(100)})[0] == 400
    assert page.get("c/1")[0] == 200
    assert (page.folder / "test.todo.md").read_bytes() == before


def test_slow_and_many_connections_end_and_leave_room(page, monkeypatch):
    monkeypatch.setattr(serve, "SECONDS", 0.5)
    began = time.monotonic()
    assert raw(page, b"GET / HTTP/1.1\r\nHo") == b""
    assert time.monotonic() - began < 5
    monkeypatch.setattr(serve, "SECONDS", 30.0)
    held = [socket.create_connection(("127.0.0.1", page.port)) for _ in range(serve.CONNECTIONS + 20)]
    try:
        assert page.get("c/1")[0] == 200
    finally:
        for connection in held:
            connection.close()
