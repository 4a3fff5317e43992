"""Agents of other libraries that talk to the user of one conversation; run by `agents.py` in an environment of theirs.

Reads JSON from the standard input: `url`, `tools` (the task's, without the one that speaks to the user), and `turns`,
what the user says or a tool returns, in order. Writes what was said and called, as JSON.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

MODEL = "gpt-4.1"
"""The name that an agent had before; a single model answers for every name."""
Hears = Callable[[str], str | None]


def pydantic_ai(url: str, tools: list[dict[str, Any]], run: Callable[..., str], opening: str, hears: Hears) -> None:
    from pydantic_ai import Agent, Tool
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    def made(tool: dict[str, Any]) -> Any:
        def call(**arguments: Any) -> str:
            return run(tool["name"], arguments)

        return Tool.from_schema(call, tool["name"], tool["description"], tool["parameters"])

    model = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=url, api_key="none"))
    agent = Agent(model, tools=[made(tool) for tool in tools])
    history, said = None, opening
    while said is not None:
        result = agent.run_sync(said, message_history=history)
        history, said = result.all_messages(), hears(result.output)


FRAMEWORKS = {"pydantic-ai": (pydantic_ai, "pydantic-ai-slim")}


def main() -> None:
    work, package = FRAMEWORKS[sys.argv[1]]
    asked = json.load(sys.stdin)
    turns: Iterator[str] = iter(asked["turns"])
    said: list[str] = []
    called: list[Any] = []

    def hears(text: str) -> str | None:
        said.append(text)
        return next(turns, None)

    def run(name: str, arguments: dict[str, Any]) -> str:
        called.append([name, arguments])
        return next(turns)

    tools = [tool["function"] for tool in asked["tools"]]
    work(asked["url"], tools, run, next(turns), hears)
    json.dump({"version": importlib.metadata.version(package), "said": said, "called": called}, sys.stdout)


if __name__ == "__main__":
    main()
