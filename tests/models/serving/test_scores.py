"""Published answers, dealt to the test set by an engine: the endpoint's scores are the evaluation's, row by row."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest

from harness.data.formats.jsonl import read_jsonl
from harness.data.formats.messages import expand_pairs
from harness.data.formats.published import read_test_conversations
from harness.data.records import Prediction, Task
from harness.evaluation.scorecard import MODEL, read_answers, score_answers
from harness.models.backends._base import EvaluateConfig
from harness.models.backends.openai import EvaluatedEndpoint
from harness.models.backends.vllm import EvaluatedCheckpoint
from harness.models.chat.chat_models import ChatSettings
from harness.models.chat.endpoints import Endpoints
from harness.models.names import ModelName
from harness.models.serving.rendering import ServedTask
from harness.models.serving.serve import PulledModels
from harness.models.serving.service import TaskKnown
from support.replay_engine import ReplayEngine, pieces
from support.served import serving


@pytest.mark.slow
@pytest.mark.parametrize("name", ["base", "tuned"])
def test_scores_through_the_endpoint_are_those_of_the_evaluation(
    name: str, sources: Path, published_task: Task, pulled: PulledModels, tmp_path: Path
) -> None:
    folder = sources / "tft-benchmark"
    pairs = tuple(expand_pairs(read_test_conversations(folder / "test.jsonl")))
    raws = [str(row["prediction"]) for _, row in read_jsonl(folder / "predictions" / f"{name}.jsonl")]
    assert pulled.test_set
    test_set = replace(pulled.test_set, task=published_task, pairs=pairs, total=len(pairs))
    task = TaskKnown.of(ServedTask.of(published_task, own_system=True, pairs=pairs))
    evaluated = EvaluatedCheckpoint(pulled.base, test_set, EvaluateConfig())
    evaluated.make_prompts()
    prompts = [evaluated.asked[pair.id].token_ids for pair in pairs]
    texts = dict(zip(prompts, cycle(raws), strict=False))  # whichever: what counts is that both score the same
    engine = ReplayEngine(answer=lambda request: (pieces(texts[tuple(request["prompt"])], 40), "stop"), context=1 << 20)
    found: list[Prediction] = []
    with serving(replace(pulled, test_set=test_set, task=task), engine) as endpoint:
        settings = ChatSettings(endpoints=Endpoints(base_url=endpoint.url), cache=tmp_path)
        client = EvaluatedEndpoint(
            ModelName(backend="openai", id="ada/student"), test_set, EvaluateConfig(asking=settings)
        )
        client.ask(list(client.asked.values()), found.append)
    by_pair = {one.pair_id: one for one in found}
    through = [by_pair[pair.id] for pair in pairs]
    direct = [
        Prediction(pair_id=pair.id, raw=texts[prompt], finish_reason="stop")
        for pair, prompt in zip(pairs, prompts, strict=True)
    ]
    assert not [one.error for one in through if one.error]
    columns = [
        score_answers(published_task, pairs, answers, read_answers(answers, published_task, family, None, None)).columns
        for answers, family in ((direct, evaluated.family), (through, None))
    ]
    assert columns[0][MODEL] == columns[1][MODEL]
    assert len(through) == len(pairs) == 359
