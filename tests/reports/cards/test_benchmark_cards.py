"""The card of a benchmark model holds every fact of the published card, for each of the ten."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.data import published_facts as figures
from harness.data.published_facts import published_facts
from harness.errors import UsageError
from harness.reports import markdown_templates as markdown
from harness.reports import model_card
from harness.reports.card_block import BEGIN, END
from harness.resources import folder

FACTS = published_facts()
CELLS = [(scenario, arm) for scenario in FACTS.scenarios for arm in figures.ARMS]
EXAMPLE = "distillabs/tft-benchmark-s2-tft-Qwen3-1.7B"
MODEL_COMMIT = "a" * 40


def repo_id(scenario: figures.PublishedScenario, arm: str, owner: str = "distillabs") -> str:
    return f"{owner}/tft-benchmark-s{scenario.number}-{arm}-{FACTS.student}"


@pytest.mark.parametrize(("scenario", "arm"), CELLS)
def test_a_benchmark_card_holds_every_published_fact(scenario: figures.PublishedScenario, arm: figures.Arm) -> None:
    card = model_card.render_card(None, model_card.identify(repo_id(scenario, arm)))
    assert f"**Pipeline**: {FACTS.arms[arm].name}" in card
    assert f"**Scenario**: S{scenario.number} {scenario.name}" in card
    for fact in (*scenario.published, *scenario.counted["tft"], *scenario.counted["direct"]):
        assert fact in card
    for metric, label in (("llm-as-a-judge", "LLM-as-a-judge score"), ("staged_tool_call", "staged_tool_call score")):
        value = scenario.scores[arm][metric]
        shown = "not published" if value is None else f"**{value:.3f}** (published)"
        assert f"**{label}**: {shown}; not measured by this harness yet" in card
    for needed in ("10 models", "34 conversations", "359 pairs", "`Restaurants_1`", "TFT Pipeline", "Direct Training"):
        assert needed in card
    for setting in ("zai.glm-5", "openai.gpt-oss-120b", "openai.gpt-oss-120b + zai.glm-5", "LoRA fine-tuning"):
        assert setting in card
    assert "multi-turn-tool-calling-closed-book" in card
    assert f"**Base model**: {FACTS.student}" in card
    for tool in FACTS.tools:
        line = next(line for line in card.splitlines() if line.startswith(f"- `{tool.name}`"))
        assert tool.summary in line
        assert all(f"`{name}`" in line for name in (*tool.required, *tool.optional))
    for link in FACTS.links.values():
        assert f"[{link.title}]({link.url})" in card
    assert "https://huggingface.co/Qwen/Qwen3-1.7B" in card


SCENARIO_FACTS = {  # the figures that each scenario's section has to state
    1: ("327", "Restaurants_1", "ceiling"),
    2: ("327", "50 %", "52 %", "44.0 %", "49.3 %"),
    3: (
        "146 Restaurants_2",
        "146 Restaurants_1",
        "0 %",
        "21 function",
        "47 parameter",
        "24 function",
        "50 parameter",
        "14",
    ),
    4: ("5 clean", "327", "about 55", "58"),
    5: ("142 Hotels_1", "36 clean Restaurants_1", "shuffled"),
}


@pytest.mark.parametrize(("scenario", "arm"), CELLS)
def test_the_scenario_section_states_its_figures(scenario: figures.PublishedScenario, arm: figures.Arm) -> None:
    card = model_card.render_card(None, model_card.identify(repo_id(scenario, arm)))
    section = card[card.index("## Scenario:") : card.index("## Training details")]
    assert all(fact in section for fact in SCENARIO_FACTS[scenario.number])


@pytest.mark.parametrize("arm", figures.ARMS)
def test_training_details_say_how_the_arm_trains(arm: figures.Arm) -> None:
    card = model_card.render_card(None, model_card.identify(repo_id(FACTS.scenarios[1], arm)))
    section = card[card.index("## Training details") : card.index("### Configuration")]
    tft_only = ("filter drops", "committee", "synthetic")
    assert all(word in section for word in tft_only) == (arm == "tft")
    assert ("one example for every assistant turn" in section) == (arm == "direct")


@pytest.mark.parametrize(("scenario", "arm"), CELLS)
def test_front_matter_is_the_hubs_metadata(scenario: figures.PublishedScenario, arm: figures.Arm, reading: Any) -> None:
    from huggingface_hub import ModelCard

    card = model_card.render_card(None, model_card.identify(repo_id(scenario, arm)))
    metadata = reading.front_matter(card)
    assert metadata["license"] == "apache-2.0"
    assert metadata["base_model"] == "Qwen/Qwen3-1.7B"
    assert metadata["base_model_relation"] == "finetune"
    assert metadata["datasets"] == ["google-research-datasets/dstc8-schema-guided-dialogue"]
    assert metadata["language"] == ["en"]
    assert metadata["pipeline_tag"] == "text-generation"
    assert metadata["library_name"] == "transformers"
    assert {"tool-calling", "multi-turn", "fine-tuned", "tft-benchmark"} <= set(metadata["tags"])
    assert ModelCard(card).data.to_dict() == metadata


def test_the_results_table_has_every_published_score_and_its_difference(reading: Any) -> None:
    card = model_card.render_card(None, model_card.identify(EXAMPLE))
    for metric, title in (
        ("llm-as-a-judge", "LLM-as-a-judge score:\n"),
        ("staged_tool_call", "`staged_tool_call` score:"),
    ):
        rows = reading.table_after(card, title)
        assert len(rows) == len(FACTS.scenarios)
        for scenario, (name, tft, direct, delta) in zip(FACTS.scenarios, rows, strict=True):
            assert name == f"S{scenario.number} {scenario.name}"
            left, right = scenario.scores["tft"][metric], scenario.scores["direct"][metric]
            assert tft.strip("*") == ("not published" if left is None else f"{left:.3f}")
            assert direct.strip("*") == ("not published" if right is None else f"{right:.3f}")
            if left is None or right is None:
                assert delta == "–"
                continue
            points = round(100 * (left - right), 1)
            assert delta.strip("*") == f"{points:+.1f} pp"
            far = abs(points) > FACTS.comparison.points
            assert [cell.startswith("**") for cell in (tft, direct, delta)] == [
                far and points > 0,
                far and points < 0,
                far,
            ]


def test_unpublished_scores_are_said_to_be_unpublished() -> None:
    missing = [s.number for s in FACTS.scenarios if s.scores["direct"]["staged_tool_call"] is None]
    assert missing == [1, 3, 5]
    for number in missing:
        card = model_card.render_card(
            None, model_card.identify(f"distillabs/tft-benchmark-s{number}-direct-Qwen3-1.7B")
        )
        assert "**staged_tool_call score**: not published" in card


def test_the_sentence_about_the_table_follows_the_figures(tmp_path: Path) -> None:
    """With other figures the sentence says other things: it is computed."""
    card = model_card.render_card(None, model_card.identify(EXAMPLE))
    assert (
        "TFT is ahead on S2 Noisy Labels, S3 Schema Drift, S4 Low Data and S5 Trace Mixing, by 12.3 to 25.9 points."
        in card
    )
    assert "On S1 Baseline the two are within 5 points of each other." in card
    values = yaml.safe_load((folder("model_cards") / "published.yaml").read_text(encoding="utf-8"))
    for scenario in values["scenarios"]:
        scenario["scores"]["direct"]["llm-as-a-judge"] = 0.95
    (tmp_path / "published.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    changed = figures.load_published(tmp_path / "published.yaml")
    template = markdown.environment(folder("model_cards") / "sections").get_template("published_results.md.jinja")
    text = template.render(published=changed, judge_metric="llm-as-a-judge", staged_metric="staged_tool_call")
    assert "Direct is ahead on S1 Baseline" in text
    assert "TFT is ahead" not in text


def test_ours_says_what_the_published_card_says(sources: Path, reading: Any) -> None:
    theirs = (sources / "tft-benchmark" / "model-card-s1-tft.md").read_text(encoding="utf-8")
    ours = model_card.render_card(None, model_card.identify("distillabs/tft-benchmark-s1-tft-Qwen3-1.7B"))
    published, metadata = reading.front_matter(theirs), reading.front_matter(ours)
    for key, value in published.items():
        assert set(value) <= set(metadata[key]) if isinstance(value, list) else value == metadata[key]
    for url in re.findall(r"https?://[^\s)\]]+", theirs):
        assert url in ours
    for number in re.findall(r"\d+\.\d+", theirs[theirs.index("## Full Benchmark Results") : theirs.index("## Links")]):
        assert number in ours
    for term in re.findall(r"`([^`]+)`", theirs):
        assert f"`{term}`" in ours
    title = next(line for line in theirs.splitlines() if line.startswith("# "))
    assert title in ours.splitlines()


def test_ours_is_no_copy_of_the_published_prose(sources: Path) -> None:
    theirs = (sources / "tft-benchmark" / "model-card-s1-tft.md").read_text(encoding="utf-8")
    prose = (folder("model_cards") / "published.yaml").read_text(encoding="utf-8") + "".join(
        path.read_text(encoding="utf-8") for path in (folder("model_cards") / "sections").iterdir()
    )

    def runs(text: str) -> set[tuple[str, ...]]:
        words = re.findall(r"[a-z]+", re.sub(r"https?://\S+|\[[^\]]*\]", " ", text.lower()))
        return {tuple(words[start : start + 8]) for start in range(len(words) - 7)}

    title = runs(FACTS.links["article"].title)
    assert runs(theirs) & runs(prose) <= title


def test_weights_of_another_namespace_do_not_claim_the_published_scores() -> None:
    card = model_card.render_card(None, model_card.identify("me/tft-benchmark-s2-tft-Qwen3-1.7B"))
    assert "(published for the original model of this cell, not for these weights)" in card
    assert "`lineage.json`" in card


def test_another_student_has_no_base_model_or_license_made_up(reading: Any) -> None:
    metadata = reading.front_matter(
        model_card.render_card(None, model_card.identify("me/tft-benchmark-s4-direct-tiny-4M"))
    )
    assert not {"license", "base_model", "base_model_relation"} & set(metadata)


@pytest.mark.parametrize(
    "name",
    ["Qwen/Qwen3-1.7B", "me/tft-benchmark-s9-tft-x", "me/tft-benchmark-s1-both-x", "me/my-tft-benchmark-s1-tft-x", "x"],
)
def test_other_names_are_other_models(name: str) -> None:
    identity = model_card.identify(name)
    assert identity.scenario is None
    assert identity.arm is None
    with pytest.raises(UsageError, match="before it is evaluated"):
        model_card.render_card(None, identity)


def test_the_card_of_another_model_makes_no_claim_about_training(make_report: Any, reading: Any) -> None:
    card = model_card.render_card(make_report("vllm:Qwen/Qwen3-1.7B"), model_card.identify("Qwen/Qwen3-1.7B"))
    assert card.startswith(f"{BEGIN}\n")
    assert card.endswith(f"{END}\n")
    for claim in ("LoRA", "Pipeline", "Scenario", "fine-tuned", "published"):
        assert claim not in card
    assert f"tft evaluate vllm:Qwen/Qwen3-1.7B@{MODEL_COMMIT} --dataset" in reading.code_block(card, "bash")
    assert f"\ninspect eval tft/benchmark --model tft/Qwen/Qwen3-1.7B@{MODEL_COMMIT} -T dataset=" in card
    assert "inspect eval" not in model_card.render_card(make_report("openai:some"), model_card.identify("some"))
