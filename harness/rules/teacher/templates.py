"""Templates taken from accepted conversations: what was said, by act, delexicalised."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.data.events import Event
from harness.data.records import ToolCall
from harness.rules.language.equivalence import truth
from harness.rules.teacher.delexicalisation import COUNT, Delexicalised, Delexicaliser
from harness.rules.teacher.exchanges import Exchange
from harness.rules.teacher.task_model import TaskModel
from harness.rules.teacher.verbalisation import has_moment, mention

_NO = re.compile(r"\b(?:no|not|never|without|none|cannot)\b|n't\b", re.I)
_WH = re.compile(r"\b(?:what|which|where|when|who|how)\b", re.I)
_FAILS = re.compile(rf"{_NO.pattern}|\b(?:unable|sorry|unfortunately|apolog\w+|fail\w*|problem|unavailable)\b", re.I)
_MORE = re.compile(r"\b(?:yes|and|but|also)\b", re.I)
"""Words by which the outcome of a call goes on to something else."""
_ASKS = re.compile(r"\?|^\s*(?:what|where|when|which|who|how|do|does|is|are|can|could|tell|give)\b", re.I)
_LONGEST = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class WordingTemplate:
    """A wording with `{slot}` fields."""

    act: str
    text: str
    slots: frozenset[str]
    """Its fields."""
    about: frozenset[str] = frozenset()
    """Columns that it asks for or states."""
    flags: tuple[tuple[str, bool], ...] = ()
    """What it says of flags."""
    tool: str = ""


def learn_templates(model: TaskModel) -> dict[str, tuple[WordingTemplate, ...]]:
    """Return the distinct templates of each act, in the order of the conversations."""
    found: dict[str, dict[WordingTemplate, None]] = defaultdict(dict)
    delexicaliser = Delexicaliser(model)
    for history, exchanges in model.histories:
        for template in _Reader(model, history, exchanges, delexicaliser).read():
            found[template.act][template] = None
    return {act: tuple(templates) for act, templates in found.items()}


class _Reader:
    """Reads one conversation, with what each turn may be about."""

    def __init__(
        self, model: TaskModel, history: Sequence[Event], exchanges: Sequence[Exchange], delexicaliser: Delexicaliser
    ) -> None:
        self._model = model
        self._history = history
        self._known = [each for each in exchanges if each.call.name in model.usages]
        self._row: Mapping[str, Any] = {}
        self._delexicaliser = delexicaliser

    def read(self) -> Iterator[WordingTemplate]:
        """Yield what can be taken from each turn; turns whose act or values are unclear yield nothing."""
        for position, event in enumerate(self._history):
            if event.kind == "user":
                template = self._user(position, event.text)
            elif event.kind == "reply":
                template = self._agent(position, event.text)
            else:
                continue
            if template is not None and len(template.text) <= _LONGEST:
                yield template

    def _before(self, position: int) -> Exchange | None:
        return next((each for each in reversed(self._known) if each.position < position), None)

    def _after(self, position: int) -> Exchange | None:
        return next((each for each in self._known if each.position > position), None)

    def _user(self, position: int, text: str) -> WordingTemplate | None:
        after, before = self._after(position), self._before(position)
        first = not any(event.kind == "user" for event in self._history[:position])
        following = self._history[position + 1] if position + 1 < len(self._history) else None
        if after is None:
            return self._parting(position, text, following)
        fresh = {key: value for key, value in after.call.arguments.items() if not self._said(key, value, position)}
        template = self._delexicaliser.delexicalise(text, [fresh, self._row if before else {}])
        if template is None or following is None:
            return None
        asked = self._delexicaliser.columns(text) if _ASKS.search(text) else frozenset()
        act = self._user_act(template, after, following, position, first=first)
        if act == "ask" or (asked and act in ("want", "accept", "affirm", "another")):
            return self._build("ask", template, about=asked) if asked and act == "ask" else None
        if act == "open" and self._unexplained(after.call):
            return None
        return self._build(act, template, tool=after.call.name) if act else None

    def _user_act(  # noqa: PLR0911 - one act a line
        self, template: Delexicalised, after: Exchange, following: Event, position: int, *, first: bool
    ) -> str:
        asked = self._history[position - 1] if position else None
        new = template[1]
        if first:
            return "open"
        confirmed = asked is not None and asked.kind == "reply" and self._is_confirmation(asked.text, after)
        if confirmed:
            return "affirm" if following.kind == "call" and not new else "correct" if new else ""
        if new and asked is not None and asked.text.rstrip().endswith("?") and self._requested(asked.text, new):
            return "give"
        before = self._before(position)
        if self._model.usages[after.call.name].lookup:
            return "refine" if before is not None and new and following.kind == "call" else ""
        if self._delexicaliser.columns(self._history[position].text) and following.kind == "reply" and not new:
            return "ask"
        if before is None or following.kind != "reply" or not following.text.rstrip().endswith("?"):
            return ""
        confirms = self._is_confirmation(following.text, after)
        if not new and not confirms and not _WH.search(following.text):
            return "accept"
        proposed = asked is not None and asked.text.rstrip().endswith("?") and not _WH.search(asked.text)
        return "agree" if proposed and not new else "want"

    def _parting(self, position: int, text: str, following: Event | None) -> WordingTemplate | None:
        template = self._delexicaliser.delexicalise(text, [self._row])
        if template is None or following is None or following.kind != "reply":
            return None
        rest = [event for event in self._history[position + 1 :] if event.kind == "user"]
        asked = self._delexicaliser.columns(text) if _ASKS.search(text) else frozenset()
        if asked:
            return self._build("ask", template, about=asked)
        if self._delexicaliser.columns(text) or template[1]:
            return None
        if not rest:
            return self._build("bye", template)
        return self._build("thanks", template) if len(rest) == 1 and following.text.rstrip().endswith("?") else None

    def _agent(self, position: int, text: str) -> WordingTemplate | None:  # noqa: PLR0911 - one act a line
        before, after = self._before(position), self._after(position)
        self._follow(text, before)
        last = position >= len(self._history) - 1
        previous = self._history[position - 1] if position else None
        if previous is not None and previous.kind == "result" and before is not None:
            return self._outcome(text, before)
        if after is not None and self._is_confirmation(text, after):
            confirmed = self._delexicaliser.delexicalise(text, [after.call.arguments])
            return self._build("confirm", confirmed, tool=after.call.name) if confirmed else None
        asked = (
            self._delexicaliser.columns(previous.text)
            if previous is not None and previous.kind == "user"
            else frozenset()
        )
        if asked and _ASKS.search(previous.text if previous else ""):
            return self._told(text, asked)
        template = self._delexicaliser.delexicalise(text, [self._row])
        if template is None or template[1]:
            return None
        if last:
            return self._build("goodbye", template)
        if text.rstrip().endswith("?") and after is not None:
            return self._request(position, text, template, after)
        final = sum(event.kind == "user" for event in self._history[position:]) == 1 and after is None
        return self._build("more", template) if final and text.rstrip().endswith("?") else None

    def _request(self, position: int, text: str, template: Delexicalised, after: Exchange) -> WordingTemplate | None:
        """Return a question for the one argument that the user gives next; a proposal where none is given."""
        answer = self._history[position + 1]
        values = self._model.values
        given = [
            key
            for key, value in after.call.arguments.items()
            if answer.kind == "user"
            and not self._said(key, value, position)
            and self._model.slots[key].kind != "flag"
            and mention(answer.text, self._model.slots[key], value, values)
        ]
        if len(given) == 1 and (_WH.search(text) or given[0] in self._delexicaliser.columns(text)):
            return self._build("request", template, about=frozenset(given))
        lookup = self._model.usages[after.call.name].lookup
        proposes = self._row and not lookup and not _WH.search(text)
        return self._build("nudge", template, tool=after.call.name) if proposes else None

    def _outcome(self, text: str, exchange: Exchange) -> WordingTemplate | None:
        usage = self._model.usages[exchange.call.name]
        if not usage.lookup:
            template = self._delexicaliser.delexicalise(text, [exchange.call.arguments])
            act = "done" if exchange.rows else "failed"
            good = bool(_FAILS.search(text)) == (act == "failed") and not (act == "done" and _MORE.search(text))
            return self._build(act, template, tool=usage.name) if template and good else None
        if not exchange.rows:
            template = self._delexicaliser.delexicalise(text, [exchange.call.arguments])
            return self._build("none", template, tool=usage.name) if template else None
        entity = self._model.entity(usage)
        counted = {COUNT: len(exchange.rows)}
        template = self._delexicaliser.delexicalise(text, [self._row, counted])
        if template is None or not set(entity) <= template[1]:
            return None
        act = "offer_many" if COUNT in template[1] and len(exchange.rows) > 1 else "offer"
        return self._build(act, template, tool=usage.name)

    def _told(self, text: str, asked: frozenset[str]) -> WordingTemplate | None:
        flags = [key for key in sorted(asked) if self._model.slots[key].kind == "flag"]
        template = self._delexicaliser.delexicalise(
            text, [{key: value for key, value in self._row.items() if key not in flags}]
        )
        if template is None or not (asked - set(flags)) <= template[1] or not asked <= self._row.keys():
            return None
        said = {truth(self._row[key]) for key in flags}
        if flags and (
            len(said) > 1 or said != {not _NO.search(text)} or not set(flags) <= self._delexicaliser.columns(text)
        ):
            return None
        if not self._delexicaliser.columns(text) - set(template[1]) <= asked:
            return None
        polarity = tuple((key, truth(self._row[key]) is True) for key in flags)
        return self._build("tell", template, about=asked, flags=polarity)

    def _follow(self, text: str, before: Exchange | None) -> None:
        """Track the row that the agent is talking about."""
        if before is None:
            return
        entity = self._model.entity(self._model.usages[before.call.name])
        for row in before.rows:
            if any(self._mentions(text, key, row.get(key)) for key in entity[:1]):
                self._row = row
                return
        if len(before.rows) == 1:
            self._row = before.rows[0]

    def _mentions(self, text: str, key: str, value: Any) -> bool:
        slot = self._model.slots.get(key)
        return slot is not None and mention(text, slot, value, self._model.values) is not None

    def _said(self, key: str, value: Any, position: int) -> bool:
        return any(self._mentions(event.text, key, value) for event in self._history[:position] if event.kind == "user")

    def _unexplained(self, call: ToolCall) -> bool:
        """Whether a call has an argument that no message states literally: the wording may imply it."""
        said = "\n".join(event.text for event in self._history if event.kind in ("user", "reply"))
        return any(not self._mentions(said, key, value) for key, value in call.arguments.items())

    def _is_confirmation(self, text: str, after: Exchange) -> bool:
        if self._model.usages[after.call.name].lookup:
            return False
        mentioned = 0
        for key, value in after.call.arguments.items():
            # A date or time that is corrected afterwards is another one here.
            corrected = has_moment(text, self._model.slots[key].kind, self._model.values)
            mentioned += corrected or self._mentions(text, key, value)
        return mentioned >= min(2, len(after.call.arguments)) and ("?" in text or "onfirm" in text)

    def _requested(self, question: str, new: frozenset[str]) -> bool:
        return not any(self._mentions(question, key, value) for key, value in self._row.items()) and bool(new)

    def _build(
        self,
        act: str,
        template: Delexicalised,
        *,
        about: frozenset[str] = frozenset(),
        flags: tuple[tuple[str, bool], ...] = (),
        tool: str = "",
    ) -> WordingTemplate | None:
        """Return the template; None where it mentions a column that is neither a field nor its topic."""
        if act not in ("ask", "tell") and self._delexicaliser.columns(template[0]) - template[1] - about:
            return None
        return WordingTemplate(act=act, text=template[0], slots=template[1], about=about, flags=flags, tool=tool)
