"""A job folder says what it holds, and what of it cannot be used, by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.curation.job_folder import KNOWN, JobFolder, read_config
from harness.curation.stage_settings import FilterConfig, RelabelConfig, SynthesizeConfig, resolve
from harness.data.formats.messages import dump_conversation
from harness.data.sample import sample_conversations, sample_task
from harness.errors import DataError
from harness.training.config import TrainConfig

CONFIG = """\
base:
  student_model_name: Small-1B
  teacher_model_name: big-7
  random_seed: 11
evaluation:
  llm_as_a_judge_model_name: judge-1
trace_processing:
  min_relevance_score: 3
  min_coherence_score: 2
  num_traces_as_training_base: 90
  relabelling_committee_models: [big-7, other-3]
  observation_format: openai_messages
synthgen:
  generation_target: 500
  validation_max_total_length: 15000
  mutation_topics:
    - a short one, 5-9 turns
    - about opening hours
tuning:
  num_train_epochs: 2
  lora_r: 16
  lora_alpha_multiplier: 2
  bf16: false
"""


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A whole job folder."""
    task = sample_task()
    described = {"task_description": task.description, "tools": list(task.tools)}
    (tmp_path / "job_description.json").write_text(json.dumps(described))
    rows = [json.dumps(dump_conversation(one)) + "\n" for one in sample_conversations(3)]
    (tmp_path / "traces.jsonl").write_text("".join(rows))
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


def test_the_published_keys_become_our_settings(job: Path) -> None:
    """And our settings take them: a key that a stage does not know would be refused there."""
    found = JobFolder.open(job)
    filtering = resolve(FilterConfig, found.settings("filter"))
    assert (filtering.relevance, filtering.coherence, filtering.max_length) == (3, 2, 15000)
    assert resolve(RelabelConfig, found.settings("relabel")) == RelabelConfig(seeds=90, seed=11)
    synthesis = resolve(SynthesizeConfig, found.settings("synthesize"))
    assert (synthesis.target, synthesis.max_length, synthesis.seed) == (500, 15000, 11)
    training = TrainConfig(**found.settings("train"))
    assert (training.epochs, training.lora_rank, training.lora_alpha, training.precision) == (2, 16, 32, "float32")
    assert found.settings("roles") == {
        "student": "Small-1B",
        "teacher": "openai:big-7",
        "judge": "openai:judge-1",
        "committee": ["openai:big-7", "openai:other-3"],
        "arbiter": "openai:big-7",
        "filter": "openai:big-7",
    }
    assert [(one.shortest, one.longest) for one in found.config.topics] == [(5, 9), (9, 29)]
    assert found.config.ignored == ("trace_processing.observation_format",)


def test_every_renamed_key_is_a_setting_of_its_stage() -> None:
    models = {"filter": FilterConfig, "relabel": RelabelConfig, "synthesize": SynthesizeConfig, "train": TrainConfig}
    for section, keys in KNOWN.items():
        for key, renamed in keys.items():
            if renamed and renamed[0] != "roles" and key != "mutation_topics":
                assert renamed[1] in models[renamed[0]].model_fields, f"{section}.{key}"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("synthgen:\n  mutators: []\n  generation_aim: 5\n", "line 3: synthgen has the unknown key 'generation_aim'"),
        ("synthesis: {}\n", "line 1: .*unknown key 'synthesis'; known are base"),
        ("base:\n  random_seed: 1\n  random_seed: 2\n", "line 3: 'random_seed' stands here for the second time"),
        ("synthgen:\n  generation_target: many\n", "line 2: synthgen.generation_target should be a number, got 'many'"),
        ("tuning:\n  bf16: 1\n", "line 2: tuning.bf16 should be true or false"),
        ("synthgen:\n  mutation_topics: [[]]\n  generation_target: [", "cannot read"),
        ("synthgen:\n  mutation_topics: [3]\n", "line 2: a mutation topic should be text, got 3"),
        ("- 1\n", "holds no mapping"),
    ],
)  # fmt: skip
def test_a_configuration_that_cannot_be_used_says_where(tmp_path: Path, config: str, words: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(config)
    with pytest.raises(DataError, match=words):
        read_config(path)


def test_what_is_missing_or_there_twice_is_said(job: Path) -> None:
    (job / "traces.json").write_text("[]")
    with pytest.raises(DataError, match=r"has traces\.jsonl and traces\.json; keep the one that counts"):
        JobFolder.open(job)
    (job / "traces.json").unlink()
    found = JobFolder.open(job)
    assert (found.traces.name, found.test, found.task.task.description) == (
        "traces.jsonl",
        None,
        sample_task().description,
    )
    (job / "config.yaml").unlink()
    assert JobFolder.open(job).settings("filter") == {}
    (job / "traces.jsonl").unlink()
    with pytest.raises(DataError, match=r"has no traces; expected one of traces\.jsonl"):
        JobFolder.open(job)
    (job / "job_description.json").unlink()
    with pytest.raises(DataError, match=r"has no job_description\.json; write one with task_description"):
        JobFolder.open(job)
    with pytest.raises(DataError, match="is not a folder"):
        JobFolder.open(job / "nothing")
