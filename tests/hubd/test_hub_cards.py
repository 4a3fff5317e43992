"""What a repository says of itself: tags, filters, evaluation results, leaderboard, validation of cards."""

from __future__ import annotations

import pytest
from huggingface_hub import CommitOperationAdd, EvalResultEntry, eval_result_entries_to_yaml

CARD = """---
license: apache-2.0
language: [en]
library_name: transformers
pipeline_tag: text-generation
base_model: Qwen/Qwen3-1.7B
datasets: [ada/bench]
tags: [tool-calling]
---
# A model
"""


@pytest.fixture(scope="module")
def carded(api) -> str:
    import yaml

    api.create_repo("ada/bench", repo_type="dataset")
    api.upload_file(
        path_or_fileobj=b"name: b\ntasks: [{id: t}]\n",
        path_in_repo="eval.yaml",
        repo_id="ada/bench",
        repo_type="dataset",
    )
    for name, value in (("ada/carded", 0.5), ("ada/better", 0.75)):
        entry = EvalResultEntry(dataset_id="ada/bench", task_id="t", value=value, notes="n")
        results = yaml.safe_dump(eval_result_entries_to_yaml([entry])).encode()
        files = [CommitOperationAdd("README.md", CARD.encode()), CommitOperationAdd(".eval_results/b.yaml", results)]
        api.create_repo(name)
        api.create_commit(name, files, commit_message="card")
    return "ada/carded"


def test_tags_follow_from_the_card(api, carded):
    info = api.model_info(carded)
    expected = {"license:apache-2.0", "dataset:ada/bench", "base_model:Qwen/Qwen3-1.7B", "tool-calling", "transformers"}
    assert expected <= set(info.tags)
    assert (info.pipeline_tag, info.library_name, info.card_data.license) == (
        "text-generation",
        "transformers",
        "apache-2.0",
    )


def test_lists_filter_search_sort_and_page(api, carded):
    named = [m.id for m in api.list_models(author="ada", filter=["tool-calling", "dataset:ada/bench"])]
    assert sorted(named) == ["ada/better", "ada/carded"]
    assert [m.id for m in api.list_models(search="CARDED")] == [carded]
    assert [m.id for m in api.list_models(filter="license:wtfpl")] == []
    assert [d.id for d in api.list_datasets(benchmark=True)] == ["ada/bench"]
    assert next(iter(api.list_models(author="ada", sort="last_modified", limit=1))).id
    assert len(list(api.list_models(author="ada", limit=1))) == 1
    assert {m.card_data.license for m in api.list_models(search="carded", cardData=True)} == {"apache-2.0"}


def test_evaluation_results_are_indexed(api, carded):
    [entry] = api.model_info(carded, expand=["evalResults"]).eval_results
    assert (entry.dataset_id, entry.task_id, entry.value, entry.notes) == ("ada/bench", "t", 0.5, "n")


def test_the_leaderboard_ranks_models(api, carded):
    board = api.get_dataset_leaderboard("ada/bench")
    assert [(row.rank, row.model_id, row.value) for row in board] == [(1, "ada/better", 0.75), (2, "ada/carded", 0.5)]


def test_a_card_is_validated_when_it_is_pushed(api, carded):
    with pytest.raises(ValueError, match="Invalid metadata"):
        api.upload_file(path_or_fileobj=b"---\nlicense: [unclosed\n---\n", path_in_repo="README.md", repo_id=carded)
