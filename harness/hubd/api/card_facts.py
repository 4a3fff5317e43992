"""What a repository says of itself: its card's metadata, the tags that follow from it, evaluation results."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

import yaml

from ..storage.git import GitRepo
from ..storage.repos import RepoRow
from .tree import iso

FRONT_MATTER = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(.*?)\r?\n?---[ \t]*(?:\r?\n|\Z)", re.S)
CARD_LIMIT = 4 << 20
EVAL_FOLDER = ".eval_results"
# Card keys that become tags, and what the tag starts with.
PLAIN_TAGS = ("pipeline_tag", "library_name", "tags")
PREFIXED_TAGS = {"license": "license:", "datasets": "dataset:", "base_model": "base_model:"}
DATASET_TAGS = (
    "task_categories", "task_ids", "language", "size_categories", "multilinguality", "language_creators",
    "annotations_creators", "source_datasets",
)  # fmt: skip
# The Hub marks a benchmark after a review; here declaring one (`eval.yaml`) is enough.
BENCHMARK = "benchmark:official"
EVAL_KEYS = {"dataset", "value", "verifyToken", "date", "source", "notes"}


class _Loader(yaml.SafeLoader):
    """YAML without aliases: a few lines of nested aliases unfold to gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)


def load_yaml(text: str) -> Any:
    """Return YAML as JSON-like values (dates as text); raises yaml.YAMLError."""
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
        return json.loads(json.dumps(content, default=str, allow_nan=False, skipkeys=True))
    except (ValueError, RecursionError) as error:
        raise yaml.YAMLError(str(error) or "nested too deeply") from error


def front_matter(text: str) -> Any:
    """Return the YAML at the top of a card, None without any; raises yaml.YAMLError."""
    found = FRONT_MATTER.match(text)
    return load_yaml(found[1]) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One commit of a repository as lists and info pages show it. `card` is the metadata, {} without a valid card.

    `tags` follow from the card and from other files, `card_tags` from the card alone.
    """

    commit: str
    modified: str
    card: dict[str, Any]
    tags: tuple[str, ...]
    card_tags: tuple[str, ...]
    config: dict[str, Any]
    eval_results: tuple[dict[str, Any], ...]

    def of_card(self) -> Summary:
        """Return what may be shown to those who may see the card but no other file."""
        return replace(self, tags=self.card_tags, config={}, eval_results=())


def summarise(repo: RepoRow, git: GitRepo, commit: str) -> Summary:
    """Read card, model config and evaluation results of a commit."""
    card = _card(git, commit)
    results = _eval_results(git, commit) if repo.kind == "model" else []
    of_card = tuple(dict.fromkeys(_tags(repo.kind, card)))
    return Summary(
        commit=commit,
        modified=iso(git.commit(commit).time),
        card=card,
        tags=tuple(dict.fromkeys((*of_card, *_file_tags(repo.kind, git, commit)))),
        card_tags=of_card,
        config=_model_config(git, commit) if repo.kind == "model" else {},
        eval_results=tuple(results),
    )


def _card(git: GitRepo, commit: str) -> dict[str, Any]:
    text = git.text(commit, "README.md", limit=CARD_LIMIT)
    try:
        content = front_matter(text) if text else None
    except yaml.YAMLError:
        return {}  # the page shows the text; the metadata was reported when it was pushed
    return content if isinstance(content, dict) else {}


def _texts(value: Any) -> list[str]:
    return [
        str(item) for item in (value if isinstance(value, list) else [value]) if isinstance(item, str | int | float)
    ]


def _tags(kind: str, card: dict[str, Any]) -> list[str]:
    tags: list[str] = []
    for key in PLAIN_TAGS:
        tags += _texts(card.get(key) or [])
    for key, prefix in PREFIXED_TAGS.items():
        tags += [f"{prefix}{text}" for text in _texts(card.get(key) or [])]
    if kind == "dataset":
        for key in DATASET_TAGS:
            tags += [f"{key}:{text}" for text in _texts(card.get(key) or [])]
    else:
        tags += _texts(card.get("language") or [])
        relation = card.get("base_model_relation")
        if isinstance(relation, str):
            tags += [f"base_model:{relation}:{text}" for text in _texts(card.get("base_model") or [])]
    return tags


def _file_tags(kind: str, git: GitRepo, commit: str) -> list[str]:
    names = [name for name, _ in git.walk(git.commit(commit).tree, recursive=False)]
    if kind == "dataset" and "eval.yaml" in names:
        return [BENCHMARK]
    return ["safetensors"] if kind == "model" and any(name.endswith(".safetensors") for name in names) else []


def _model_config(git: GitRepo, commit: str) -> dict[str, Any]:
    try:
        content = json.loads(git.text(commit, "config.json") or "{}")
    except (ValueError, RecursionError):
        return {}
    keys = ("architectures", "model_type", "tokenizer_config")
    return {key: content[key] for key in keys if key in content} if isinstance(content, dict) else {}


def _eval_results(git: GitRepo, commit: str) -> list[dict[str, Any]]:
    folder = git.entry(commit, EVAL_FOLDER)
    if folder is None or not folder.is_folder:
        return []
    found: list[dict[str, Any]] = []
    for name, entry in git.walk(folder.sha, f"{EVAL_FOLDER}/", recursive=False):
        if entry.is_folder or not name.endswith((".yaml", ".yml")):
            continue
        try:
            items = load_yaml(git.text(commit, name) or "")
        except yaml.YAMLError as error:
            found.append({"filename": name, "error": " ".join(str(error).split())})
            continue
        problem = eval_problem(items)
        if problem:
            found.append({"filename": name, "error": problem})
        else:
            found += [{"filename": name, "verified": False, "data": item} for item in items]
    return found


def eval_problem(items: Any) -> str | None:
    """Return what is wrong with the content of an evaluation results file, None if nothing is."""
    if not isinstance(items, list) or not items:
        return "expected a list of results"
    for number, item in enumerate(items, start=1):
        dataset = item.get("dataset") if isinstance(item, dict) else None
        if not isinstance(dataset, dict) or not all(isinstance(dataset.get(key), str) for key in ("id", "task_id")):
            return f"result {number}: dataset.id and dataset.task_id are needed"
        if isinstance(item.get("value"), bool) or not isinstance(item.get("value"), int | float):
            return f"result {number}: value must be a number"
        if unknown := sorted(set(item) - EVAL_KEYS):
            return f"result {number}: unknown key {unknown[0]}"
        source = item.get("source")
        if source is not None and not (isinstance(source, dict) and isinstance(source.get("url"), str)):
            return f"result {number}: source needs a url"
    return None
