"""Random requests to the whole HTTP API of the embedded Hub: no 500, no hang, no damage.

A grammar of all routes generates mostly valid requests and mutates some of them: other methods, odd encodings in paths,
junk in JSON, forms, NDJSON, xorbs and shards, ranges, tokens of several users, truncated bodies. They go to the ASGI
application in this process, eight at a time. Exit status 1 for a response of 500 or above, one that takes longer than
`--limit` seconds, an exception, an invalid header, a refusal without `X-Error-Message`, or a store that `verify`
rejects afterwards. A seed reproduces a run, up to timing.

    python tests/benchmarks/hub_fuzz.py [--requests 100000] [--seed 0] [--limit 20]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from hub_requests import Grammar, beginning
from hub_words import Request

from harness.hubd.accounts.users_file import load_users
from harness.hubd.api.request import Services
from harness.hubd.errors import Refused
from harness.hubd.root import existing_root, open_root
from harness.hubd.server.app import HubApp
from harness.hubd.server.routes import ROUTES, match
from harness.hubd.storage.verify import verify

USERS = """
users:
  - {name: ada, orgs: [lab], tokens: [{token: hf_ada, role: write}, {token: hf_ada_read, role: read}]}
  - {name: bob, tokens: [{token: hf_bob, role: write}]}
orgs: [{name: lab, private_by_default: true}]
"""


class Fuzz:
    """Sends requests and keeps what went wrong."""

    def __init__(self, app: HubApp, grammar: Grammar, limit: float) -> None:
        self.app, self.grammar, self.limit = app, grammar, limit
        self.statuses: Counter[int] = Counter()
        self.faults: list[str] = []
        self.slowest = 0.0
        self.unasked = {(route.method, route.pattern) for route in ROUTES}

    async def run(self, requests: int, workers: int = 8) -> None:
        """Send so many requests, some at a time."""
        for made in beginning():
            await self.one(made)
        left = iter(range(requests))

        async def work() -> None:
            for number in left:
                await self.one(self.grammar.request())
                if number and number % 10_000 == 0:
                    print(f"{number} requests, {len(self.faults)} faults", flush=True)

        await asyncio.gather(*(work() for _ in range(workers)))

    async def one(self, made: Request) -> None:
        """Send a request and look at the answer."""
        with suppress(Refused):  # no route
            route = match(made.method, made.path).route
            self.unasked.discard((route.method, route.pattern))
        started = time.monotonic()
        sent: list[dict[str, Any]] = []
        try:
            await asyncio.wait_for(self._send(made, sent), self.limit)
        except TimeoutError:
            self._fault(made, "hangs")
        except Exception as error:  # whatever it is, the server would answer 500
            self._fault(made, f"raises {error!r}")
        self.slowest = max(self.slowest, time.monotonic() - started)
        if not sent:
            return
        status, body = sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in sent[0]["headers"]}
        self.statuses[status] += 1
        if status >= 500:
            self._fault(made, f"answers {status}")
        for problem in _problems(made, status, headers, body):
            self._fault(made, problem)
        if made.whole:
            self.grammar.learn(made, status, body)

    async def _send(self, made: Request, sent: list[dict[str, Any]]) -> None:
        parts: list[dict[str, Any]] = [{"type": "http.request", "body": made.body, "more_body": not made.whole}]
        gone = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if parts:
                return parts.pop()
            if made.whole:
                await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = {"host": "hub.test", "content-length": str(len(made.body)), **made.headers}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": made.method,
            "path": made.path,
            "raw_path": made.path.encode("latin-1", "replace"),
            "query_string": made.query.encode("latin-1", "replace"),
            "headers": [(key.encode(), value.encode("latin-1", "replace")) for key, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("hub.test", 80),
        }
        await self.app(scope, receive, send)

    def _fault(self, made: Request, what: str) -> None:
        self.faults.append(what)
        if len(self.faults) <= 20:
            shown = f"{made.method} {made.path[:300]}?{made.query[:200]} {made.body[:300]!r}"
            print(f"{shown} {dict(list(made.headers.items())[:4])}: {what}", flush=True)


def _problems(made: Request, status: int, headers: dict[str, str], body: bytes) -> Iterator[str]:
    """Yield what is wrong with an answer to a request."""
    # Pages, ranges and the validation of cards say what is wrong in their own ways.
    own = headers.get("content-type", "").startswith("text/html") or status == 416 or body.startswith(b'{"errors"')
    if status >= 400 and made.whole and not own and not headers.get("x-error-message"):
        yield f"answers {status} without X-Error-Message"
    if any(not 32 <= ord(c) < 256 for pair in headers.items() for c in "".join(pair)):
        yield f"answers with an illegal header: {headers}"
    length = int(headers.get("content-length", len(body)))
    if made.method != "HEAD" and status not in (204, 304) and length != len(body):
        yield "answers with a wrong Content-Length"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=20.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tft-bench-") as name:
        users = Path(name) / "users.yaml"
        users.write_text(USERS)
        root = open_root(Path(name) / "root")
        services = Services(root)
        services.accounts.replace(load_users(users))
        fuzz = Fuzz(HubApp(services), Grammar(options.seed), options.limit)
        started = time.monotonic()
        asyncio.run(fuzz.run(options.requests))
        took = time.monotonic() - started
        root.close()
        report = verify(existing_root(Path(name) / "root", locked=False))
    print(f"seed {options.seed}: {options.requests} requests in {took:.0f} s, slowest {fuzz.slowest:.2f} s")
    print(f"routes that were not asked: {len(fuzz.unasked)} of {len(ROUTES)} {sorted(fuzz.unasked)}")
    print(f"answers: {dict(sorted(fuzz.statuses.items()))}")
    print(f"{len(fuzz.faults)} faults {dict(Counter(fuzz.faults).most_common(10))}")
    print(f"verify: {report.repositories} repositories, {report.objects} git objects, {report.files} large files")
    print(f"{len(report.problems)} problems {report.problems[:5]}")
    sys.exit(int(bool(fuzz.faults or report.problems)))


if __name__ == "__main__":
    main()
