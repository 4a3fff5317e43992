"""Cards of the pipeline's datasets: front matter from records, text from templates that cannot be broken out of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from harness import resources
from harness.data.traces.trace_input import TRAIN
from harness.hub.artifact import README
from harness.hub.lineage import Lineage

Feature = Mapping[str, Any]


def column(name: str, dtype: str = "string") -> Feature:
    """Return a column of a plain type."""
    return {"name": name, "dtype": dtype}


def listed(name: str, fields: Sequence[Feature]) -> Feature:
    """Return a column that is a list of objects."""
    return {"name": name, "list": list(fields)}


def struct(name: str, fields: Sequence[Feature]) -> Feature:
    """Return a column that is an object."""
    return {"name": name, "struct": list(fields)}


_CALL = (column("name"), column("arguments", "json"))
_MESSAGES: Feature = {"name": "messages", "list": "json"}
_TOOLS: Feature = {"name": "tools", "list": "json"}
TRACES: tuple[Feature, ...] = (column("id"), column("source"), _MESSAGES, _TOOLS)
"""The columns that all datasets with conversations begin with. Messages, arguments and all, and tools are `Json()`:
Arrow would give every message and every call the keys of all others, null where they have none.
"""
CONVERSATION: tuple[Feature, ...] = (*TRACES, column("kept", "bool"), column("reason"))
"""The columns that all datasets of the pipeline begin with."""
PAIR: tuple[Feature, ...] = (
    column("id"),
    column("conversation"),
    column("turn", "int64"),
    _MESSAGES,
    struct("reference", _CALL),
)
"""The columns of a test set's turn pairs."""
FILTERED: tuple[Feature, ...] = (
    *CONVERSATION,
    column("relevance", "int64"),
    column("coherence", "int64"),
    column("relevance_reason"),
    column("coherence_reason"),
    listed("findings", [column("check"), column("severity"), column("position", "int64"), column("problem")]),
)
RELABELLED: tuple[Feature, ...] = (
    *CONVERSATION,
    listed(
        "turns",
        [
            column("position", "int64"),
            struct("raw", _CALL),
            struct("call", _CALL),
            column("method"),
            column("level"),
            column("changed"),
            listed("candidates", _CALL),
            column("reason"),
        ],
    ),
)
SYNTHETIC: tuple[Feature, ...] = (
    *CONVERSATION,
    column("plan"),
    column("topic"),
    column("complexity", "int64"),
    column("length", "int64"),
    {"name": "context", "list": "string"},
    column("tries", "int64"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFrame:
    """What the front matter of a card says."""

    title: str
    repo_id: str
    license: str | None = None
    rows: int
    columns: tuple[Feature, ...]
    configs: Mapping[str, str] = field(default_factory=lambda: {"default": TRAIN})
    """Configuration -> its file; the first is the default."""
    other_columns: Mapping[str, tuple[Feature, ...]] = field(default_factory=dict)
    """Configuration -> its columns, where they are not `columns`."""
    lineage: Lineage

    def front_matter(self) -> dict[str, Any]:
        """Return the card's metadata, with the type of every column: else Arrow would guess from the first rows."""
        return {
            "pretty_name": self.title,
            **({"license": self.license} if self.license else {}),
            "task_categories": ["text-generation"],
            "size_categories": [size_category(self.rows)],
            "tags": ["tool-calling", "multi-turn", "tft-benchmark"],
            "configs": [
                {
                    "config_name": name,
                    **({"default": True} if position == 0 else {}),
                    "data_files": [{"split": "test" if PurePosixPath(path).stem == "test" else "train", "path": path}],
                }
                for position, (name, path) in enumerate(self.configs.items())
            ],
            "dataset_info": [
                {"config_name": name, "features": list(self.other_columns.get(name, self.columns))}
                for name in self.configs
            ],
        }


def write_stage_card(folder: Path, template: str, frame: CardFrame, **records: Any) -> None:
    """Write the card made by `datasets/<template>`; every value is text there, whatever characters it holds."""
    import yaml

    class Plain(yaml.SafeDumper):
        """YAML without anchors."""

        def ignore_aliases(self, data: Any) -> bool:
            """Write equal values out each time."""
            del data
            return True

    head = yaml.dump(frame.front_matter(), Dumper=Plain, sort_keys=False, allow_unicode=True)
    rules = rule_based(frame.lineage.config)
    text = _text(template, frame=frame, lineage=frame.lineage, rules=rules, **records)
    (folder / README).write_text(f"---\n{head}---\n\n{text}", encoding="utf-8")


def render(template: str, **records: Any) -> str:
    """Return the card made by `datasets/<template>`, which has its front matter in it."""
    return _text(template, **records) + "\n"


def _text(template: str, **records: Any) -> str:
    from harness.reports.markdown_templates import environment

    return environment(resources.folder("datasets")).get_template(template).render(records)


def rule_based(settings: Any) -> list[str]:
    """Return the names of rule-based stand-ins in a resolved configuration, sorted."""
    found: set[str] = set()

    def look(value: Any) -> None:
        if isinstance(value, Mapping):
            for inner in value.values():
                look(inner)
        elif isinstance(value, list | tuple):
            for inner in value:
                look(inner)
        elif isinstance(value, str) and value.startswith("rules:"):
            found.add(value)

    look(settings)
    return sorted(found)


_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def size_category(rows: int) -> str:
    """Return the Hub's `size_categories` value for a number of rows."""
    return next((name for limit, name in _SIZES if rows < limit), "n>1M")
