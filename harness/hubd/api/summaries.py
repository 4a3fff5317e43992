"""What a repository says of itself, as lists and info pages show it: its card's metadata, tags, evaluation results."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from ..accounts.accounts import User
from ..bounds import Budget, Cache
from ..storage.git import GitRepo
from ..storage.repos import RepoRow, Repos, may_read_content
from .safe_yaml import front_matter, load_json, load_yaml, weight
from .tree import iso

CARD_LIMIT = 4 << 20
EVAL_FOLDER = ".eval_results"
EVAL_FILES, EVAL_CHARACTERS, EVAL_RESULTS = 100, 128 << 10, 500  # read of one commit, all files together
ERROR_LENGTH = 300
_TOO_MUCH = (
    f"not all is read: at most {EVAL_RESULTS} results, in {EVAL_FILES} files with {EVAL_CHARACTERS >> 10} kB together"
)
TAGS, TAG_LENGTH = 1000, 200
CONFIG_LIMIT, CONFIG_WEIGHT = 256 << 10, 128 << 10  # characters of a config.json; bytes of what is kept of it
KEPT, KEPT_VALUE = 48 << 10, 8 << 10  # bytes of memory: metadata that take more keep their smaller values only
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
LIST_SECONDS = 1.0  # for reading what is not remembered, after which a list continues on its next page

_KNOWN: Cache[tuple[str, str], Summary] = Cache(128 << 20)  # (repository, commit): no opened repository stays alive
_TOLD: set[tuple[str, str]] = set()  # what the log says already


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One commit of a repository as lists and info pages show it, {} for what is not there or not valid.

    `card` is the metadata, without their larger values if `cut`; `tags` follow from the card and from other files,
    `card_tags` from the card alone; `weight` about the bytes that all this takes.
    """

    commit: str
    modified: str
    card: dict[str, Any] = field(default_factory=dict)
    cut: bool = False
    tags: tuple[str, ...] = ()
    card_tags: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    eval_results: tuple[dict[str, Any], ...] = ()
    weight: int = 1000


def summarise(repo: RepoRow, git: GitRepo, commit: str) -> Summary:
    """Read card, model config and evaluation results of a commit; raises on damaged objects only."""
    card = read_card(git, commit)
    results = _eval_results(git, commit) if repo.kind == "model" else []
    of_card = tuple(dict.fromkeys(_tags(repo.kind, card)))[:TAGS]
    tags = tuple(dict.fromkeys((*of_card, *_file_tags(repo.kind, git, commit))))
    config = _model_config(git, commit) if repo.kind == "model" else {}
    kept = _kept(card)
    return Summary(
        commit=commit,
        modified=iso(git.commit(commit).time),
        card=kept,
        cut=len(kept) < len(card),
        tags=tags,
        card_tags=of_card,
        config=config,
        eval_results=tuple(results),
        weight=1000 + weight([kept, list(tags), config, results]),
    )


def _kept(card: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata that is remembered: all of it or, where it is very large, the smaller values."""
    if weight(card) <= KEPT:
        return card
    kept, room = {}, KEPT
    for key, value in card.items():
        size = weight([key, value])
        if size <= min(KEPT_VALUE, room):
            kept[key], room = value, room - size
    return kept


def read_card(git: GitRepo, commit: str) -> dict[str, Any]:
    """Return the metadata of a commit's card, {} without valid ones."""
    text = git.text(commit, "README.md", limit=CARD_LIMIT)
    try:
        content = front_matter(text) if text else None
    except yaml.YAMLError:
        return {}  # the page shows the text; the metadata was reported when it was pushed
    return content if isinstance(content, dict) else {}


def _texts(value: Any) -> list[str]:
    items = (value if isinstance(value, list) else [value])[:TAGS]
    texts = (str(item) for item in items if isinstance(item, str | int | float))
    return [text for text in texts if len(text) <= TAG_LENGTH]


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
        if isinstance(relation, str) and len(relation) <= TAG_LENGTH:
            tags += [f"base_model:{relation}:{text}" for text in _texts(card.get("base_model") or [])]
    return tags


def _file_tags(kind: str, git: GitRepo, commit: str) -> list[str]:
    names = [name for name, _ in git.walk(git.commit(commit).tree, recursive=False)]
    if kind == "dataset" and "eval.yaml" in names:
        return [BENCHMARK]
    return ["safetensors"] if kind == "model" and any(name.endswith(".safetensors") for name in names) else []


def _model_config(git: GitRepo, commit: str) -> dict[str, Any]:
    try:
        content = load_json(git.text(commit, "config.json", limit=CONFIG_LIMIT) or "{}")
    except ValueError:
        return {}
    keys = ("architectures", "model_type", "tokenizer_config")
    known = {key: content[key] for key in keys if key in content} if isinstance(content, dict) else {}
    return known if weight(known) <= CONFIG_WEIGHT else {}


def _eval_results(git: GitRepo, commit: str) -> list[dict[str, Any]]:
    folder = git.entry(commit, EVAL_FOLDER)
    if folder is None or not folder.is_folder:
        return []
    entries = git.walk(folder.sha, f"{EVAL_FOLDER}/", recursive=False)
    names = [name for name, entry in entries if not entry.is_folder and name.endswith((".yaml", ".yml"))]
    found: list[dict[str, Any]] = []
    left = EVAL_CHARACTERS
    for name in names[:EVAL_FILES]:
        text = git.text(commit, name, limit=EVAL_CHARACTERS) or ""
        left -= len(text)
        found += _results(name, text) if left >= 0 else [{"filename": name, "error": _TOO_MUCH}]
    if len(names) > EVAL_FILES or len(found) > EVAL_RESULTS:
        found = [*found[:EVAL_RESULTS], {"filename": EVAL_FOLDER, "error": _TOO_MUCH}]
    return found


def _results(name: str, text: str) -> list[dict[str, Any]]:
    """Return the results in one file, or what is wrong with it."""
    try:
        items = load_yaml(text)
    except yaml.YAMLError as error:
        return [{"filename": name, "error": " ".join(str(error).split())[:ERROR_LENGTH]}]
    problem = eval_problem(items)
    if problem:
        return [{"filename": name, "error": problem[:ERROR_LENGTH]}]
    return [{"filename": name, "verified": False, "data": item} for item in items]


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


def summary_of(repo: RepoRow, git: GitRepo, commit: str) -> Summary:
    """Return what a commit says of its repository, read once; raises what git raises on damaged objects."""
    found = _KNOWN.get((repo.id, commit))
    if found is None:
        summary = summarise(repo, git, commit)
        found = _KNOWN.put((repo.id, commit), summary, summary.weight)
    return found


def shown_to(user: User | None, repo: RepoRow, summary: Summary) -> Summary:
    """Return what a user may know of a summary: of a gated repository the card alone, unless they are a member."""
    if may_read_content(repo, user):
        return summary
    return replace(summary, tags=summary.card_tags, config={}, eval_results=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of a repository in a list: `commit` None if it has none."""

    repo: RepoRow
    commit: str | None


class Lister:
    """Reads repositories for one list, for about LIST_SECONDS; damaged ones are listed with nothing of their content.

    Their own pages fail, and say why.
    """

    def __init__(self, repos: Repos, user: User | None) -> None:
        self._repos = repos
        self._user = user
        self._budget = Budget(LIST_SECONDS)

    @property
    def late(self) -> bool:
        """Return whether the list has to end here and continue on its next page."""
        return self._budget.spent

    def head(self, repo: RepoRow) -> Head:
        """Return the head of main; of a repository that cannot be read, an empty commit id."""
        try:
            return Head(repo=repo, commit=self._repos.head(repo))
        except Exception as error:
            return Head(repo=repo, commit=_unreadable(repo, "", error))

    def knows(self, head: Head) -> bool:
        """Return whether a summary is remembered, and costs nothing."""
        return _KNOWN.get((head.repo.id, head.commit or "")) is not None

    def modified(self, head: Head) -> str:
        """Return when a repository last changed."""
        found = _KNOWN.get((head.repo.id, head.commit or ""))
        try:
            return found.modified if found else iso(self._repos.git(head.repo).commit(head.commit or "").time)
        except Exception as error:
            _unreadable(head.repo, head.commit or "", error)
            return head.repo.created

    def summary(self, head: Head) -> Summary:
        """Return what a head says of its repository, as far as the user may know; nothing, if that cannot be read."""
        found = _KNOWN.get((head.repo.id, head.commit)) if head.commit else None
        try:
            found = found or summary_of(head.repo, self._repos.git(head.repo), head.commit or "")
            return shown_to(self._user, head.repo, found)
        except Exception as error:
            return Summary(commit=_unreadable(head.repo, head.commit or "", error), modified=head.repo.created)


def _unreadable(repo: RepoRow, commit: str, error: Exception) -> str:
    """Say once in the log that a repository cannot be read, and return the commit."""
    if (repo.id, commit) not in _TOLD and len(_TOLD) < 10_000:
        _TOLD.add((repo.id, commit))
        why = f"{type(error).__name__}: {error}"[:300]
        said = f"{repo.kind} {repo.name} cannot be read for lists ({why}); `tft hub verify` says more."
        print(said, file=sys.stderr)  # noqa: T201
    return commit


def in_turn(repos: Iterable[RepoRow]) -> list[RepoRow]:
    """Return repositories with their owners in turn: where time runs out, those of one owner do not hide the others."""
    turns: Counter[str] = Counter()
    numbered = []
    for repo in repos:
        numbered.append((turns[repo.namespace], repo))
        turns[repo.namespace] += 1
    return [repo for _, repo in sorted(numbered, key=lambda pair: pair[0])]
