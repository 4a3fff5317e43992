"""Pages: a repository's card, with its metadata as a table and the results it reports; the leaderboard of a dataset."""

from __future__ import annotations

from typing import Any

import yaml
from starlette.responses import Response

from ..api.repos import reported
from ..api.safe_yaml import body_of, front_matter
from ..api.summaries import CARD_LIMIT
from ..bounds import Budget
from .markdown import SECONDS, Place, prose
from .page import RepoPage, path, repo_page

VALUES, TEXT = 30, 300  # how much of the metadata is shown
TASKS, RANKS = 50, 500  # of a leaderboard
_LINKED = {"base_model": "model", "new_version": "model", "datasets": "dataset", "source_datasets": "dataset"}
_ELSEWHERE = ("model-index", "dataset_info", "configs", "widget")  # long, and shown by other means or not for people


@repo_page
def card(view: RepoPage) -> Response:
    """Show the card of a repository."""
    text = view.git.text(view.commit, "README.md", limit=CARD_LIMIT)
    problem, body = "", ""
    if text is not None:
        problem, body = _problem(text), body_of(text)
    shown = prose(body, Place(web_path=view.repo.web_path, revision=view.revision), Budget(SECONDS))
    files = view.git.entry(view.commit, "README.md")
    return view.show(
        "card", "card", body=shown.html, cut=shown.cut, problem=problem,
        has_card=text is not None, too_large=text is None and files is not None, metadata=_metadata(view),
        results=_results(view), summary=view.summary,
    )  # fmt: skip


def _problem(text: str) -> str:
    try:
        content = front_matter(text)
    except yaml.YAMLError as error:
        return " ".join(str(error).split())[:TEXT]
    return "" if content is None or isinstance(content, dict) else "it is not a list of keys with values"


def _metadata(view: RepoPage) -> list[dict[str, Any]]:
    """Return the rows of the table: a key, and its values with the addresses they lead to ("" for none)."""
    rows = []
    for key, value in view.metadata.items():
        if key in _ELSEWHERE or value in (None, "", [], {}):
            continue
        values = value if isinstance(value, list) else [value]
        shown = [(_text(item), _address(view, key, item)) for item in values[:VALUES]]
        rows.append({"key": key[:TEXT], "values": shown, "more": max(len(values) - VALUES, 0)})
    return rows[:VALUES]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items())[:TEXT]
    return str(value)[:TEXT]


def _address(view: RepoPage, key: str, value: Any) -> str:
    if key not in _LINKED or not isinstance(value, str):
        return ""
    repo = view.call.services.repos.find_visible(_LINKED[key], value, view.call.user)
    return path(repo.web_path) if repo else ""


def _results(view: RepoPage) -> list[dict[str, Any]]:
    rows = []
    for result in view.summary.eval_results:
        data = result.get("data")
        row = {"filename": result["filename"], "file": view.address("blob", result["filename"])}
        if data is None:
            rows.append({**row, "error": result["error"]})
            continue
        dataset = data["dataset"]
        repo = view.call.services.repos.find_visible("dataset", dataset["id"], view.call.user)
        rows.append({
            **row, "error": "", "dataset": dataset["id"], "task": dataset["task_id"], "value": data["value"],
            "address": path(repo.web_path) if repo else "", "revision": str(dataset.get("revision") or ""),
            "notes": str(data.get("notes") or "")[:TEXT], "date": str(data.get("date") or "")[:40],
        })  # fmt: skip
    return rows


@repo_page
def leaderboard(view: RepoPage) -> Response:
    """Rank the models that report results on this dataset, one table per task."""
    tables: dict[str, list[dict[str, Any]]] = {}
    found = reported(view.call)
    for task, row in found.rows:
        tables.setdefault(task, []).append(row)
    shown = [(task, rows[:RANKS]) for task, rows in sorted(tables.items())[:TASKS]]
    return view.show("leaderboard", "leaderboard", tables=shown, left_out=found.left_out)
