"""A job folder: the task, the traces, and where there are some a test set and settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.curation.stage_settings import Topic
from harness.data.formats.task import read_task
from harness.data.formats.yaml_lines import read_mapping, refuse_unknown
from harness.data.tasks import TaskSource
from harness.data.traces.trace_input import TRACE_FILES
from harness.errors import DataError
from harness.hub.artifact import FileInput

TASK, TEST = "job_description.json", "test.jsonl"
CONFIGS = ("config.yaml", "config.yml", "config.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFolder:
    """What a user brings."""

    folder: Path
    task: TaskSource
    traces: Path
    test: Path | None
    config: JobConfig

    @classmethod
    def open(cls, folder: Path) -> JobFolder:
        """Return the job in `folder`; traces and test set are not read yet.

        Raises DataError where the task or the traces are missing, something is there twice, or cannot be understood.
        """
        if not folder.is_dir():
            raise DataError(f"{folder} is not a folder; expected one with {TASK} and {TRACE_FILES[0]}")
        task = folder / TASK
        if not task.is_file():
            raise DataError(
                f"{folder} has no {TASK}; write one with task_description and tools (JSON-schema function "
                "definitions), or make the folder from an export with tft job init"
            )
        traces = _one(folder, TRACE_FILES)
        if traces is None:
            raise DataError(
                f"{folder} has no traces; expected one of {', '.join(TRACE_FILES)}, one conversation per line"
            )
        config = _one(folder, CONFIGS)
        test = folder / TEST
        return cls(
            folder=folder,
            task=TaskSource(task=read_task(task), source=str(FileInput.of(task))),
            traces=traces,
            test=test if test.is_file() else None,
            config=read_config(config) if config else JobConfig(),
        )

    def settings(self, stage: str) -> Mapping[str, Any]:
        """Return what the configuration says of a stage (filter, relabel, synthesize, train) or of the `roles`."""
        return self.config.stages.get(stage, {})


def _one(folder: Path, names: tuple[str, ...]) -> Path | None:
    found = [name for name in names if (folder / name).is_file()]
    if len(found) > 1:
        raise DataError(f"{folder} has {' and '.join(found)}; keep the one that counts")
    return folder / found[0] if found else None


_EXAMPLE = "trace_processing: {min_relevance_score: 4}, synthgen: {generation_target: 2000}"
_LENGTH = re.compile(r"(\d+)\s*(?:-|–|to)\s*(\d+)[\s-]+(?:turn|message)", re.IGNORECASE)
_ANY_LENGTH = (9, 29)
"""Messages of a topic that names none: what the published topics span together."""

Rename = tuple[str, str]
"""Stage (`roles` for models) and setting."""

KNOWN: Mapping[str, Mapping[str, Rename | None]] = {
    "base": {
        "task": None,
        "student_model_name": ("roles", "student"),
        "teacher_model_name": ("roles", "teacher"),
        "random_seed": ("relabel", "seed"),
        "llm_num_parallel_requests": None,
        "enable_thinking": None,
        "visual_task": None,
        "should_expand_dataset": ("train", "expand_turns"),
    },
    "evaluation": {
        "llm_as_a_judge_model_name": ("roles", "judge"),
        "num_few_shot_examples": None,
        "batch_size": None,
    },
    "trace_processing": {
        "relabel": None,
        "relevance_filtering": ("filter", "rate"),
        "relevance_filtering_batch_size": None,
        "min_relevance_score": ("filter", "relevance"),
        "min_coherence_score": ("filter", "coherence"),
        "num_traces_as_training_base": ("relabel", "seeds"),
        "num_traces_as_testing_base": None,
        "max_unstructured": None,
        "min_generated_examples": None,
        "observation_format": None,
        "convert_to_single_turn": None,
        "remove_system_prompt_from_traces": None,
        "compress_job_description": None,
        "evaluate_original_model": None,
        "teacher_model_name": ("roles", "arbiter"),
        "relabelling_committee_models": ("roles", "committee"),
        "committee_max_input_length": None,
    },
    "synthgen": {
        "generation_target": ("synthesize", "target"),
        "generation_in_single_call": None,
        "generation_iteration_size": None,
        "num_positive_exemplars_per_generation": ("synthesize", "exemplars"),
        "num_negative_exemplars_per_generation": None,
        "num_unlabelled_exemplars_per_generation": ("synthesize", "context"),
        "validation_max_total_length": ("synthesize", "max_length"),
        "validation_max_answer_length": None,
        "validation_similarity_threshold": ("synthesize", "seed_similarity"),
        "teacher_temperature": ("synthesize", "temperature"),
        "teacher_max_tokens": None,
        "match_generated_distribution_to_seed": None,
        "output_is_json": None,
        "parallel_llm_calls": None,
        "mutation_topics": ("synthesize", "topics"),
        "mutators": None,
        "mutator_update_frequency": None,
        "basic_mutators_to_use": None,
    },
    "tuning": {
        "learning_rate": ("train", "learning_rate"),
        "learning_rate_scheduler": ("train", "schedule"),
        "weight_decay": ("train", "weight_decay"),
        "warmup_ratio": ("train", "warmup"),
        "bf16": ("train", "precision"),
        "use_lora": ("train", "method"),
        "lora_r": ("train", "lora_rank"),
        "lora_alpha_multiplier": ("train", "lora_alpha"),
        "per_device_train_batch_size": ("train", "batch_size"),
        "per_device_eval_batch_size": None,
        "num_train_epochs": ("train", "epochs"),
        "gradient_accumulation_steps": ("train", "accumulation"),
        "memory_optimized_training": ("train", "gradient_checkpointing"),
        "num_few_shot_examples_student": None,
        "enable_trainer_internal_eval": None,
        "train_eval_split": None,
        "max_completion_length": None,
        "use_qlora": None,
        "awq_quantize_tuned_model": None,
        "rlvr_dataset_size": None,
        "rlvr_llm_as_a_judge_model_name": None,
        "rlvr_per_device_batch_size": None,
        "rlvr_num_generations": None,
        "rlvr_num_train_epochs": None,
    },
}
"""Section -> published key -> what it is here, None where it is known and changes nothing here."""

_VALUES: Mapping[str, Callable[[Any], Any]] = {
    "should_expand_dataset": lambda value: None if value == "auto" else bool(value),
    "bf16": lambda value: "auto" if value else "float32",
    "use_lora": lambda value: "lora" if value else "full",
}
"""Values that are said otherwise here."""
_ASKED = {"teacher", "judge", "arbiter", "committee"}
"""Roles of models behind endpoints; the student is trained, and published by a name that is no repository's."""
_NUMBER, _TEXT, _LIST, _FLAG = (int, float), str, list, bool
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "relabelling_committee_models": _LIST,
    "mutation_topics": _LIST,
    "learning_rate_scheduler": _TEXT,
    "should_expand_dataset": (bool, str),
    **dict.fromkeys(("relevance_filtering", "bf16", "use_lora", "memory_optimized_training"), _FLAG),
    **dict.fromkeys(("student_model_name", "teacher_model_name", "llm_as_a_judge_model_name"), _TEXT),
}
"""All others are numbers."""
_WORDS = {
    _NUMBER: "a number",
    _TEXT: "text",
    _LIST: "a list",
    _FLAG: "true or false",
    (bool, str): "true, false or auto",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobConfig:
    """What a job's configuration says, in our words."""

    stages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Stage -> setting -> value; models under `roles`."""
    topics: tuple[Topic, ...] = ()
    ignored: tuple[str, ...] = ()
    """Keys that are known and change nothing here, as `section.key`."""


def read_config(path: Path) -> JobConfig:
    """Return what a `config.yaml` with the published keys says.

    Raises DataError with the line for a key that is not known, listing those that are, and for a value of another kind
    than expected. Whether a number is in its range says the stage that uses it.
    """
    document, lines = read_mapping(path, _EXAMPLE)
    refuse_unknown(path, lines, (), document, tuple(KNOWN))
    stages: dict[str, dict[str, Any]] = {}
    ignored: list[str] = []
    topics: tuple[Topic, ...] = ()
    for section, entry in document.items():
        known = KNOWN[section]
        for key, value in refuse_unknown(path, lines, (section,), entry or {}, tuple(known)).items():
            renamed = known[key]
            if renamed is None or value is None:
                ignored += [f"{section}.{key}"] if renamed is None else []
                continue
            line = lines[section, key]
            _check(path, line, f"{section}.{key}", key, value)
            if key == "mutation_topics":
                topics = tuple(_topic(path, line, one) for one in _flat(value))
                continue
            stage, setting = renamed
            stages.setdefault(stage, {})[setting] = _VALUES.get(key, lambda same: same)(value)
    _derive(stages)
    return JobConfig(stages=stages, topics=topics, ignored=tuple(ignored))


def _check(path: Path, line: int, name: str, key: str, value: Any) -> None:
    wanted = _TYPES.get(key, _NUMBER)
    if not isinstance(value, wanted) or (wanted is _NUMBER and isinstance(value, bool)):
        problem = f"{name} should be {_WORDS[wanted]}, got {value!r}"
        raise DataError.at(path, line, problem)


def _derive(stages: dict[str, dict[str, Any]]) -> None:
    """Fill in what one published key decides for several of our stages, and name models as they are named here."""
    roles = stages.get("roles", {})
    for role in _ASKED & roles.keys():
        named = [f"openai:{one}" for one in ([roles[role]] if isinstance(roles[role], str) else roles[role])]
        roles[role] = named if role == "committee" else named[0]
    if "arbiter" in roles or "teacher" in roles:  # who arbitrates also filters, by default the teacher
        roles["arbiter"] = roles["filter"] = roles.get("arbiter") or roles["teacher"]
    if "seed" in stages.get("relabel", {}):
        for stage in ("synthesize", "train"):
            stages.setdefault(stage, {}).setdefault("seed", stages["relabel"]["seed"])
    if "max_length" in stages.get("synthesize", {}):  # the published limit holds for traces as well
        stages.setdefault("filter", {})["max_length"] = stages["synthesize"]["max_length"]
    train = stages.get("train", {})
    if "lora_alpha" in train or "lora_rank" in train:  # published as a multiple of the rank
        train["lora_alpha"] = round(train.get("lora_alpha", 1) * train.get("lora_rank", 64))


def _flat(topics: list[Any]) -> list[Any]:
    """Return the topics of all dimensions: several lists of topics may be given."""
    return [one for entry in topics for one in (entry if isinstance(entry, list) else [entry])]


def _topic(path: Path, line: int, value: Any) -> Topic:
    if not isinstance(value, str) or not value.strip():
        raise DataError.at(path, line, f"a mutation topic should be text, got {value!r}")
    found = _LENGTH.search(value)
    shortest, longest = sorted((int(found[1]), int(found[2]))) if found else _ANY_LENGTH
    return Topic(text=value.strip(), shortest=max(1, shortest), longest=max(1, longest))
