"""The model that wrote the traces: its answers are in the logged test conversations, beside the corrected ones."""

from __future__ import annotations

from collections.abc import Sequence

from harness.data.logged import LOGGED, corrected, logged_answer, read_logged
from harness.data.records import Conversation, Message, Prediction, TurnPair
from harness.data.tasks import TestSet, pull_conversations
from harness.errors import UsageError
from harness.hub.artifact import FileInput
from harness.hub.client import Hub
from harness.models.backends._base import NOT_ASKED, EvaluateConfig, EvaluatedModel, OnAnswer
from harness.models.names import ModelName
from harness.models.parsing import canonical

CHANGED = "what comes before this turn was corrected, or nobody has looked at the conversation"
"""Why a turn has no score."""


def prepare(name: ModelName, hub: Hub, test_set: TestSet, config: EvaluateConfig) -> EvaluatedModel:
    """Read the logged conversations of the test set; see `harness.models.backends._prepare.prepare`.

    The name after the colon is what results call the model. Raises UsageError where none of the calls that can be
    compared was corrected: then its answers are the references, and their score would be 1 whatever they are.
    """
    if config.sampling:
        raise UsageError(f"the logs hold one answer of {name} to each pair; leave out --samples")
    folder = hub.pull(test_set.artifact, [LOGGED])
    path, artifact = folder / LOGGED, test_set.artifact
    if not path.is_file():
        raise UsageError(
            f"dataset {artifact} has no {LOGGED}, so the model that wrote the traces cannot be scored; a job folder "
            "made by `tft job init` keeps the conversations as they were logged"
        )
    logged = read_logged(path)
    conversations = pull_conversations(hub, artifact)
    if len(logged) != len(conversations):
        raise UsageError(
            f"{LOGGED} of dataset {artifact} has {len(logged)} conversations, its test set {len(conversations)}; push "
            "the job's test set again"
        )
    if not corrected(logged, conversations):
        raise UsageError(
            f"no call that can be compared was corrected in the test set of dataset {artifact}, so the logged answers "
            "are the references; correct them with `tft job review` first"
        )
    ids = [one.id for one in conversations]
    return EvaluatedLog(dict(zip(ids, logged, strict=True)), FileInput.of(path).sha256, test_set)


class EvaluatedLog(EvaluatedModel):
    """Logged answers instead of a model."""

    def __init__(self, logged: dict[str, Conversation | None], sha256: str, test_set: TestSet) -> None:
        """Take the logged conversations by the ids of the test conversations."""
        self._logged = logged
        self.asked = {pair.id: pair for pair in test_set.pairs}
        self.prompt_hashes = []
        self.details = {}
        self.content = f"@sha256:{sha256}"
        self.settings = {"backend": "logged", "file_sha256": sha256}

    def ask(self, pairs: Sequence[TurnPair], on_answer: OnAnswer, /) -> None:
        """Give each pair what was logged after the same prefix, or the reason why that says nothing."""
        for pair in pairs:
            conversation = self._logged.get(pair.conversation)
            found = logged_answer(pair, conversation) if conversation else None
            if found is None:
                on_answer(Prediction(pair_id=pair.id, raw=None, error=CHANGED, finish_reason=NOT_ASKED))
            else:
                on_answer(Prediction(pair_id=pair.id, raw=_text(found)))


def _text(message: Message) -> str:
    return canonical(*message.tool_calls) if message.tool_calls else message.content or ""
