"""Requests that are much work, by strangers and for their repositories, must not keep the Hub from everybody else."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait

import httpx


def test_many_small_texts_to_validate_do_not_stop_the_hub(hub):
    content = {"content": "---\na: 1" + ":59" * 30_000 + "\n---\n"}

    def validate() -> int:
        with httpx.Client(base_url=hub.url, timeout=60, trust_env=False) as client:
            return client.post("/api/validate-yaml", json=content).status_code

    with ThreadPoolExecutor(45) as pool:
        asked = [pool.submit(validate) for _ in range(45)]
        time.sleep(0.5)
        started = time.monotonic()
        for path in ("/-/style.css", "/api/models", "/"):
            assert hub.client(timeout=60).get(path).status_code == 200
        took = time.monotonic() - started
        wait(asked)
    assert took < 3.0
    assert {one.result() for one in asked} <= {200, 400, 503}
