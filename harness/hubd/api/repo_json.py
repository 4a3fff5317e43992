"""A repository as JSON: what model_info, dataset_info, space_info and the lists return."""

from __future__ import annotations

from typing import Any

from ..bounds import Budget
from ..errors import Refused
from ..storage.git import GitRepo
from ..storage.repos import RepoRow
from .summaries import Summary, read_card

LIST_KEYS = ("author", "lastModified", "createdAt", "private", "gated", "disabled", "downloads", "likes", "tags",
             "pipeline_tag", "library_name", "modelId", "sdk")  # fmt: skip
FULL_KEYS = (*LIST_KEYS, "sha", "cardData", "config", "model-index", "description", "usedStorage", "siblings",
             "transformersInfo", "spaces", "host", "subdomain")  # fmt: skip

FILE_KEYS = ("siblings", "usedStorage")
"""Keys that say what files there are. Without them clients ask for the tree, and learn that it is gated."""
FILES_SIZE, FILE_COST = 16 << 20, 100  # characters of all their names together; a file costs this many more
FILES_SECONDS = 2.0  # of processor time for what is said of all files of a repository


def siblings(git: GitRepo, commit: str, *, blobs: bool) -> list[dict[str, Any]] | None:
    """Return the files of a commit, with sizes and hashes if `blobs`.

    Where there are too many for one answer it is None, or Refused (413) is raised if sizes were asked for.
    """
    names, room = list[str](), FILES_SIZE
    for path, entry in git.walk(git.commit(commit).tree):
        if not entry.is_folder:
            names.append(path)
            room -= len(path) + FILE_COST
        if room < 0 and blobs:
            raise _too_many()
        if room < 0:
            return None
    return _described(git, commit) if blobs else [{"rfilename": path} for path in names]


def _described(git: GitRepo, commit: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    budget = Budget(FILES_SECONDS)
    for path, facts in git.files(commit):
        if budget.spent:
            raise _too_many()
        item: dict[str, Any] = {"rfilename": path, "blobId": facts.sha, "size": facts.size}
        if facts.sha256:
            item["lfs"] = {"sha256": facts.sha256, "size": facts.size, "pointerSize": facts.pointer_size}
        items.append(item)
    return items


def _too_many() -> Refused:
    return Refused(413, "There are too many files to describe all at once; ask for the tree, page by page.")


def size_of(item: dict[str, Any], summary: Summary) -> int:
    """Return about how many bytes a repository takes in a list."""
    return summary.weight + sum(len(file["rfilename"]) + FILE_COST for file in item.get("siblings", ()))


def base_models(card: dict[str, Any]) -> dict[str, Any] | None:
    """Return the relation to the base models, None without one."""
    value = card.get("base_model")
    names = [name for name in (value if isinstance(value, list) else [value]) if isinstance(name, str)]
    if not names:
        return None
    relation = card.get("base_model_relation")
    return {"relation": relation if isinstance(relation, str) else "finetune", "models": [{"id": n} for n in names]}


def repo_json(
    repo: RepoRow, git: GitRepo | None, summary: Summary, *, keys: tuple[str, ...], blobs: bool = False
) -> dict[str, Any]:
    """Return id and the given keys that apply to the repository (`git` None: those that need no files)."""
    card = summary.card
    if git is not None and summary.cut and ("cardData" in keys or "model-index" in keys):
        card = read_card(git, summary.commit)
    known: dict[str, Any] = {
        "author": repo.namespace,
        "sha": summary.commit,
        "lastModified": summary.modified,
        "createdAt": repo.created,
        "private": repo.private,
        "gated": repo.gated or False,
        "disabled": False,
        "downloads": 0,
        "downloadsAllTime": 0,
        "likes": 0,
        "trendingScore": 0,
        "tags": list(summary.tags),
        "cardData": card or None,
    }
    if repo.kind == "model":
        known |= _model_keys(repo, summary, card)
    if repo.kind == "dataset":
        known |= {"description": card.get("pretty_name") or "", "citation": None, "paperswithcode_id": None}
    if repo.kind == "space":
        known |= {"sdk": card.get("sdk") or repo.sdk or "static", "models": [], "datasets": []}
        known |= {"host": "", "subdomain": repo.name.replace("/", "-").lower(), "runtime": {"stage": "NO_APP_FILE"}}
    if git is not None and "usedStorage" in keys:
        known["usedStorage"] = _used(git, summary.commit)
    if git is not None and "siblings" in keys:
        known["siblings"] = siblings(git, summary.commit, blobs=blobs)
    chosen = {key: known[key] for key in keys if known.get(key) is not None}
    return {"_id": repo.id, "id": repo.name, **chosen}


def _used(git: GitRepo, commit: str) -> int | None:
    """Return the bytes of all files, None if that takes too long to add up."""
    budget, total = Budget(FILES_SECONDS / 4), 0
    for _, facts in git.files(commit):
        total += facts.size
        if budget.spent:
            return None
    return total


def _model_keys(repo: RepoRow, summary: Summary, card: dict[str, Any]) -> dict[str, Any]:
    results = list(summary.eval_results)
    model_type = summary.config.get("model_type")
    return {
        "modelId": repo.name,
        "pipeline_tag": _text(card.get("pipeline_tag")),
        "library_name": _text(card.get("library_name")) or ("transformers" if model_type else None),
        "config": summary.config or None,
        "model-index": card.get("model-index"),
        "baseModels": base_models(card),
        "evalResults": results,
        "spaces": [],
        "childrenModelCount": 0,
    }


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
