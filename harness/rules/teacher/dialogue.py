"""Simulates one conversation: the agenda is acted out, the database answers, and every value is accounted for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from harness.data.records import Message, ToolCall
from harness.rules.teacher.agenda import Agenda, Segment
from harness.rules.teacher.database import Database, Row
from harness.rules.teacher.realisation import SurfaceRealiser
from harness.rules.teacher.task_model import TaskModel, ToolUsage
from harness.rules.teacher.user_goal import UserGoals

_TWO = 0.35
"""How often two questions come in one turn."""
_EMPTY = 0.25
"""How often the search before a change of mind finds nothing."""


class Dialogue:
    """Writes one conversation; what was settled, asked and returned is kept for the draft's plan."""

    def __init__(self, name: str, model: TaskModel, realiser: SurfaceRealiser, rng: Random) -> None:
        self.messages: list[Message] = []
        self.calls: list[dict[str, Any]] = []
        """Of each service call: tool, arguments, rows."""
        self._name = name
        self._model = model
        self._realiser = realiser
        self._rng = rng
        self._database = Database(model, rng)
        self._goals = UserGoals(model, rng)
        self._settled: Row = {}
        """Arguments that are known from earlier calls."""
        self._rows: list[Row] = []
        self._place = 0
        self._told: set[str] = set()
        self._exhausted = False
        """The user has been told that there is no alternative."""
        self._owed = 0
        """Planned turns that had nothing to state; the user asks something instead."""

    def write(self, agenda: Agenda) -> None:
        """Act out the agenda."""
        for position, segment in enumerate(agenda.segments):
            if segment.lookup:
                self._look_up(segment, first=position == 0)
            else:
                self._transact(segment, first=position == 0)
        for _ in range(self._owed):
            self._ask(again=True)
        if agenda.thanks:
            self._exchange(self._realiser.user("thanks", {}), self._realiser.agent("more", {}))
        if agenda.bye:
            self._exchange(self._realiser.user("bye", {}), self._realiser.agent("goodbye", {}))

    @property
    def _row(self) -> Row:
        return self._rows[self._place] if self._place < len(self._rows) else {}

    def _look_up(self, segment: Segment, *, first: bool) -> None:
        usage = self._model.usages[segment.tool]
        arguments = self._goals.lookup(usage, {} if first else self._settled, self._row)
        mine = {key: value for key, value in arguments.items() if first or value != self._settled.get(key)}
        left = self._open(usage, mine, segment, act="open" if first else "open_again")
        if not segment.calls:
            self._say(self._realiser.request(left or self._rng.choice(usage.order)) if usage.order else "?")
            return
        empty = segment.actions[:1] == ["refine"] and self._rng.random() < _EMPTY
        self._search(usage, arguments, empty=empty and segment.tool not in self._model.layout.single)
        for action in segment.actions:
            if action == "refine" and usage.order:
                arguments = self._refine(usage, arguments)
            elif action in ("another", "refine") and self._rows:
                self._another(usage, arguments)
            else:
                self._ask(again=action == "wait")
        while self._owed and self._row:
            self._owed -= 1
            self._ask()

    def _open(self, usage: ToolUsage, mine: Mapping[str, Any], segment: Segment, *, act: str) -> str | None:
        """The user states the request; the agent asks for missing arguments, as often as planned and possible.

        Returns an argument that is still unstated, where the plan leaves one.
        """
        requests = segment.count("request")
        missing = self._goals.asked(list(mine), requests + (not segment.calls), usage)
        self._hear(self._realiser.user(act, {key: mine[key] for key in mine if key not in missing}, tool=usage.name))
        self._owed += max(0, requests - len(missing))
        for key in missing[:requests]:
            self._say(self._realiser.request(key))
            self._hear(self._realiser.user("give", {key: mine[key]}, tool=usage.name))
        return missing[-1] if len(missing) > requests else None

    def _search(self, usage: ToolUsage, arguments: Row, *, empty: bool = False) -> None:
        self._rows = self._database.search(usage, arguments, self._settled, empty=empty)
        self._place, self._told, self._exhausted = 0, set(), False
        self._settled = {**self._settled, **arguments}
        self._call(usage, arguments, self._rows)
        if not self._rows:
            self._say(self._realiser.agent("none", {}, tool=usage.name))
            return
        entity = self._model.entity(usage)
        if not entity or not set(entity) <= self._row.keys():
            keys = [key for key in self._row if key not in arguments][:3] or list(self._row)[:2]
            told = self._rng.sample(keys, min(2, len(keys)))
            self._told |= set(told)
            self._say(self._realiser.inform(self._row, told) if told else self._realiser.agent("done", {}))
            return
        act = "offer_many" if len(self._rows) > 1 and self._rng.random() < 0.6 else "offer"
        self._say(self._realiser.offer(act, self._row, arguments, tool=usage.name, count=len(self._rows)))

    def _refine(self, usage: ToolUsage, arguments: Row) -> Row:
        """The user changes the request, which takes another call."""
        changed = self._goals.refine(usage, arguments, self._rows)
        self._hear(self._realiser.user("refine", changed, tool=usage.name))
        wanted = self._goals.ordered(usage, {**arguments, **changed})
        self._search(usage, wanted)
        return wanted

    def _another(self, usage: ToolUsage, arguments: Row) -> None:
        if self._exhausted:
            self._ask()
            return
        self._hear(self._realiser.user("another", {}))
        if self._place + 1 >= len(self._rows):
            self._exhausted = True
            self._say(self._realiser.agent("no_more", {}))
            return
        self._place, self._told = self._place + 1, set()
        self._say(self._realiser.offer("offer_next", self._row, arguments, tool=usage.name))

    def _ask(self, *, again: bool = False) -> None:
        """The user asks about the offer, repeats a question where nothing is left to ask, or hesitates."""
        keys = [] if again else self._curious()
        if keys:
            self._exchange(self._realiser.ask(keys), self._realiser.tell(self._row, keys))
        elif not again and (known := sorted(self._told & self._row.keys())):
            key = self._rng.choice(known)
            self._exchange(self._realiser.repeat(key), self._realiser.tell(self._row, [key]))
        else:
            self._exchange(self._realiser.user("wait", {}), self._realiser.agent("patience", {}))

    def _curious(self) -> list[str]:
        """Return one or two columns that have not been mentioned yet."""
        known = self._told | self._settled.keys()
        entity = {key for usage in self._model.usages.values() for key in self._model.entity(usage)}
        keys = [key for key in self._row if key not in known and key not in entity]
        chosen = self._rng.sample(keys, min(len(keys), 2 if self._rng.random() < _TWO else 1))
        self._told |= set(chosen)
        return chosen

    def _transact(self, segment: Segment, *, first: bool) -> None:
        usage = self._model.usages[segment.tool]
        plan = self._goals.transaction(usage, self._row, self._settled)
        nudge = segment.count("nudge")
        if nudge:
            self._exchange(self._realiser.user("accept", {}), self._realiser.agent("nudge", {}, tool=usage.name))
        all_asked = len(plan.told) <= segment.count("request")
        act = "open" if first else "agree" if nudge and all_asked else "want" if self._row else "open_again"
        left = self._open(usage, plan.told, segment, act=act)
        arguments = dict(plan.arguments)
        if left:
            self._say(self._realiser.request(left))
            return
        self._say(self._realiser.confirm(usage.name, arguments, frozenset(arguments)))
        if not segment.calls:
            return
        for _ in range(segment.count("correct")):
            self._correct(usage, arguments, plan.told)
        self._finish(segment, usage, arguments, plan.told)

    def _correct(self, usage: ToolUsage, arguments: Row, own: Mapping[str, Any]) -> None:
        changed = self._goals.change(usage, arguments, [*own, *(key for key in arguments if key not in self._settled)])
        self._hear(self._realiser.user("correct", changed, tool=usage.name))
        arguments.update(changed)
        self._say(self._realiser.confirm(usage.name, arguments, frozenset(changed)))

    def _finish(self, segment: Segment, usage: ToolUsage, arguments: Row, own: Mapping[str, Any]) -> None:
        """The user agrees and the agent calls, again with something changed where it fails."""
        for _ in range(segment.count("fail")):
            self._hear(self._realiser.user("affirm", {}))
            self._call(usage, self._goals.ordered(usage, arguments), [])
            self._say(self._realiser.agent("failed", {}, tool=usage.name))
            changed = self._goals.change(usage, arguments, list(own))
            self._hear(self._realiser.user("retry", changed, tool=usage.name))
            arguments.update(changed)
            self._say(self._realiser.confirm(usage.name, arguments, frozenset(changed)))
        self._hear(self._realiser.user("affirm", {}))
        wanted = self._goals.ordered(usage, arguments)
        row = self._database.change(usage, wanted, self._row)
        self._call(usage, wanted, [row])
        self._say(self._realiser.agent("done", {}, tool=usage.name))
        self._settled = {**self._settled, **wanted}
        self._rows, self._place = [row], 0
        for action in segment.actions + ["ask"] * self._owed:
            self._ask(again=action == "wait")
        self._owed = 0

    def _exchange(self, user: str, agent: str) -> None:
        self._hear(user)
        self._say(agent)

    def _hear(self, text: str) -> None:
        self.messages.append(Message(role="user", content=text))

    def _say(self, text: str) -> None:
        reply = self._model.toolbox.reply
        self._act(ToolCall(name=reply.tool, arguments={reply.argument: text}, id=self._id()))

    def _act(self, call: ToolCall) -> None:
        self.messages.append(self._model.toolbox.message_of(call))

    def _call(self, usage: ToolUsage, arguments: Row, rows: Sequence[Row]) -> None:
        layout = self._model.layout
        call = ToolCall(name=usage.name, arguments=arguments, id=self._id())
        self._act(call)
        value: Any = rows[0] if usage.name in layout.single and rows else list(rows)
        value = {layout.wrappers[usage.name]: value} if usage.name in layout.wrappers else value
        answered = call.id if layout.role == "tool" else None
        self.messages.append(Message(role=layout.role, content=json.dumps(value), tool_call_id=answered))
        self.calls.append({"tool": usage.name, "arguments": arguments, "rows": list(rows)})

    def _id(self) -> str:
        digest = hashlib.sha256(f"{self._name}:{len(self.messages)}".encode()).hexdigest()
        return f"call_{digest[:12]}"
