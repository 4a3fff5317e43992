"""Surface realisation of both sides' acts: the traces' own wordings where they fit, else composed phrases."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from harness.rules.language.equivalence import truth
from harness.rules.teacher.delexicalisation import COUNT
from harness.rules.teacher.lexicon import fill, names, part, phrase, sentence
from harness.rules.teacher.slots import Slot, split_name
from harness.rules.teacher.task_model import TaskModel, intent
from harness.rules.teacher.templates import WordingTemplate
from harness.rules.teacher.verbalisation import clause, shown, spoken

_OWN = 0.8
"""Share of wordings taken from the traces where there are many to choose from."""
_FEW = 2
_FROM, _TO = frozenset(["from", "origin", "source"]), frozenset(["to", "destination"])
_REQUESTS = {"city": "city", "date": "date", "time": "time", "flag": "flag", "title": "which", "person": "which"}
_ENDS = ("by", "with", "from", "to", "in", "at", "for")


class SurfaceRealiser:
    """The wordings of one conversation."""

    def __init__(
        self, model: TaskModel, templates: Mapping[str, Sequence[WordingTemplate]], rng: Random, complexity: int
    ) -> None:
        self._model = model
        self._templates = templates
        self._rng = rng
        self._complexity = complexity

    def user(self, act: str, values: Mapping[str, Any], *, tool: str = "") -> str:
        """Return what the user says: a wording with exactly these values."""
        text = self._own(act, values, tool=tool, plainly=self._complexity < 3)
        text = text or phrase(self._named(act, values, tool), self._rng, self._fields(values, tool, speaker="user"))
        return self._lived(text, values, first=act == "open")

    def agent(self, act: str, values: Mapping[str, Any], *, tool: str = "") -> str:
        """Return what the agent says. Its wordings may leave out values, but hold none that is not given."""
        text = self._own(act, values, tool=tool, plainly=True)
        return text or phrase(act, self._rng, self._fields(values, tool, speaker="agent"))

    def ask(self, keys: Sequence[str]) -> str:
        """Return the user's question for columns of the row on offer."""
        chosen = self._chosen(
            [one for one in self._templates.get("ask", ()) if one.about == set(keys) and not one.slots]
        )
        if chosen:
            return self._lived(chosen.text, {}, first=False)
        parts = [self._question(key) for key in keys]
        labels = [self._slot(key).label for key in keys]
        if len(keys) > 1 and all(self._slot(key).kind != "flag" for key in keys):
            return self._lived(phrase("ask_two", self._rng, {"label": labels[0], "other": labels[1]}), {}, first=False)
        return self._lived(" ".join(parts), {}, first=False)

    def repeat(self, key: str) -> str:
        """Return the user's question for something that was said before."""
        if self._slot(key).kind == "flag":
            return phrase("ask_flag_again", self._rng, {"question": clause(self._slot(key)).ask})
        return phrase("ask_again", self._rng, {"label": self._slot(key).label})

    def tell(self, row: Mapping[str, Any], keys: Sequence[str]) -> str:
        """Return the agent's answer from the row."""
        fitting = [
            one
            for one in self._templates.get("tell", ())
            if one.about == set(keys)
            and one.slots <= row.keys()
            and all(truth(row[key]) is value for key, value in one.flags)
        ]
        chosen = self._chosen(fitting)
        if chosen:
            return self._fill(chosen.text, {key: row[key] for key in sorted(chosen.slots)}, plainly=True)
        return " ".join(self._told(key, row[key]) for key in keys)

    def request(self, key: str) -> str:
        """Return the agent's question for an argument."""
        slot = self._slot(key)
        chosen = self._chosen([one for one in self._templates.get("request", ()) if one.about == {key}])
        if chosen:
            return chosen.text
        fields = {"label": slot.label, "unit": slot.unit, "clause": clause(slot).yes}
        examples = [value for value in dict.fromkeys(map(shown, slot.values)) if len(value) < 20]
        if slot.kind in ("choice", "word") and len(examples) > 2 and self._rng.random() < 0.5:
            fields["examples"] = ", ".join(self._rng.sample(examples, 2))
            return phrase("request_examples", self._rng, fields)
        usual = _REQUESTS.get(slot.kind, "")
        usual = "count" if slot.kind == "count" and slot.unit else usual
        named = usual != "city" or "city" in split_name(slot.name)
        if usual in ("city", "date", "time") and (self._ambiguous(slot) or not named):
            usual = ""
        return phrase(f"request_{usual}" if usual else "request", self._rng, fields)

    def offer(self, act: str, row: Mapping[str, Any], call: Mapping[str, Any], *, tool: str, count: int = 0) -> str:
        """Return the agent's proposal of a row that was found by a call with these arguments."""
        entity = self._model.entity(self._model.usages[tool])
        fitting = [
            one
            for one in self._templates.get(act, ())
            if one.slots - {COUNT} <= row.keys() and set(entity) <= one.slots and one.tool == tool
        ]
        chosen = self._chosen(fitting)
        if chosen:
            shown_row = {key: row[key] for key in sorted(chosen.slots - {COUNT})}
            return self._fill(chosen.text, shown_row, plainly=True, fields={COUNT: str(count)})
        fields = {
            "entity": self._entity(row, entity),
            "details": self._details(row, {*entity, *call}),
            "count": str(count),
        }
        return phrase(act, self._rng, fields)

    def inform(self, row: Mapping[str, Any], keys: Sequence[str]) -> str:
        """Return what a lookup without anything to choose from has found."""
        return phrase("inform", self._rng, {"facts": " and ".join(self._fact(key, row[key]) for key in keys)})

    def confirm(self, tool: str, values: Mapping[str, Any], needed: frozenset[str]) -> str:
        """Return the agent's question whether to go ahead, with at least the `needed` arguments in it."""
        sure = [one for one in self._templates.get("confirm", ()) if one.tool == tool and needed <= one.slots]
        chosen = self._chosen([one for one in sure if one.slots <= values.keys()])
        if chosen:
            return self._fill(chosen.text, {key: values[key] for key in sorted(chosen.slots)}, plainly=True)
        return phrase("confirm", self._rng, self._fields(values, tool, speaker="agent"))

    def _own(self, act: str, values: Mapping[str, Any], *, tool: str, plainly: bool) -> str:
        fitting = [one for one in self._templates.get(act, ()) if one.slots == values.keys() and one.tool in ("", tool)]
        chosen = self._chosen(fitting)
        return self._fill(chosen.text, values, plainly=plainly) if chosen else ""

    def _chosen(self, fitting: Sequence[WordingTemplate]) -> WordingTemplate | None:
        if not fitting or self._rng.random() > _OWN * len(fitting) / (len(fitting) + _FEW):
            return None
        return self._rng.choice(fitting)

    def _fill(
        self, text: str, values: Mapping[str, Any], *, plainly: bool, fields: Mapping[str, str] | None = None
    ) -> str:
        said = {key: self._say(key, value, plainly=plainly) for key, value in values.items()}
        return sentence(fill(text, {**said, **(fields or {})}))

    def _named(self, act: str, values: Mapping[str, Any], tool: str) -> str:
        """Return the entry in our own phrases for an act of the user."""
        kinds = {self._slot(key).kind for key in values}
        usage = self._model.usages.get(tool)
        if act == "open" and usage and usage.lookup and len(intent(self._model, tool).split()) > 2:
            return self._rng.choice(["open", "open_object"])
        if act in ("give", "retry", "correct") and kinds == {"flag"}:
            value, *_ = values.values()
            return "correct_flag" if act != "give" else "give_flag_yes" if truth(value) else "give_flag_no"
        if act in ("retry", "correct") and len(values) == 1 and self._ambiguous(self._slot(next(iter(values)))):
            return "correct_label"
        if act == "give" and kinds <= {"date", "time"}:
            return "give_moment"
        return "give_count" if act == "give" and kinds == {"count"} else act

    def _fields(self, values: Mapping[str, Any], tool: str, *, speaker: str) -> dict[str, str]:
        plainly = speaker == "agent" or self._complexity < 3
        out: dict[str, str] = {}
        if tool:
            doing = intent(self._model, tool)
            words = doing.split()
            rest = words[2 if words[1:2] in (["for"], ["up"]) else 1 :]
            out |= {"intent": doing, "object": " ".join(rest) or doing}
        order = [key for key in self._model.toolbox.parameters(tool) if key in values] or list(values)
        asides = [self._aside(key, values[key], tool, plainly=plainly) for key in order]
        out |= {"wishes": "".join(asides), "aside": "".join(asides).strip()}
        if len(values) == 1:
            (key, value), *_ = values.items()
            slot = self._slot(key)
            out |= {"value": self._say(key, value, plainly=plainly), "label": slot.label}
            out |= {"clause": clause(slot).of(value)} if slot.kind == "flag" else {}
        return out

    def _aside(self, key: str, value: Any, tool: str, *, plainly: bool) -> str:
        """Return a value as it hangs on to what is wanted: `in Reno`, `for 2 people`, `that has a garden`."""
        slot = self._slot(key)
        usage = self._model.usages.get(tool)
        fields = {"value": self._say(key, value, plainly=plainly), "label": slot.label}
        if slot.kind == "flag":
            fields["clause"] = clause(slot).of(value)
            named = "aside_flag" if usage and usage.lookup else "aside_with" if truth(value) else "aside_without"
            return " " + part(named, self._rng, fields)
        words = set(split_name(slot.name))
        name: str = slot.kind if slot.kind in ("city", "date", "time", "title") else "other"
        if slot.kind == "city" and self._ambiguous(slot) and bool(words & _TO) != bool(words & _FROM):
            name = "from" if words & _FROM else "to"
        elif slot.label.split()[-1] in _ENDS:
            name = "plain"
        elif name != "other" and self._ambiguous(slot):
            name = "other"
        elif slot.kind in ("title", "person", "city") and (joint := self._joint(slot, tool)):
            return f" {joint} {fields['value']}"
        elif slot.kind == "count" and slot.unit:
            name = "for" if slot.unit in names().people else "with_count"
        return " " + part(f"aside_{name}", self._rng, fields)

    def _joint(self, slot: Slot, tool: str) -> str:
        """Return the word before a name, from the tool's description: `Reserve a table at a restaurant`."""
        described = self._model.toolbox.description(tool).lower() if tool in self._model.usages else ""
        for word in split_name(slot.name):
            found = re.search(rf"\b(at|for|with|to|from|in) (?:an? |the )?(?:\w+ )?{re.escape(word)}s?\b", described)
            if found and word != "name":
                return found[1]
        return ""

    def _ambiguous(self, slot: Slot) -> bool:
        """Whether a tool takes several values of this kind, so that it has to be said which."""
        return any(
            slot.name in usage.order and sum(self._slot(key).kind == slot.kind for key in usage.order) > 1
            for usage in self._model.usages.values()
        )

    def _question(self, key: str) -> str:
        slot = self._slot(key)
        if slot.kind == "flag":
            return phrase("ask_flag", self._rng, {"question": clause(slot).ask})
        return phrase("ask", self._rng, {"label": slot.label})

    def _told(self, key: str, value: Any) -> str:
        slot = self._slot(key)
        if slot.kind == "flag":
            return phrase("tell_yes" if truth(value) else "tell_no", self._rng, {"clause": clause(slot).of(value)})
        return phrase("tell", self._rng, {"label": slot.label, "value": self._listed(key, value)})

    def _entity(self, row: Mapping[str, Any], entity: Sequence[str]) -> str:
        first, *rest = entity
        told = self._say(first, row[first])
        if self._slot(first).kind not in ("title", "person"):
            told = f"one with {self._slot(first).label} {told}"
        return told + "".join(f" with {self._slot(key).label} {self._listed(key, row[key])}" for key in rest)

    def _details(self, row: Mapping[str, Any], known: set[str]) -> str:
        """Return something about the row that was not asked for, or where it is; nothing as often."""
        cities = [key for key in row if self._slot(key).kind == "city"]
        if len(cities) == 1 and self._rng.random() < 0.4:
            return f" in {row[cities[0]]}"
        plain = [
            key for key in row if key not in known and self._slot(key).kind in ("choice", "word", "number", "time")
        ]
        if not plain or self._rng.random() < 0.5:
            return ""
        key = self._rng.choice(plain)
        return f" with {self._slot(key).label} {self._listed(key, row[key])}"

    def _fact(self, key: str, value: Any) -> str:
        slot = self._slot(key)
        if slot.kind == "flag":
            return f"it {clause(slot).of(value)}"
        return f"the {slot.label} is {self._listed(key, value)}"

    def _listed(self, key: str, value: Any) -> str:
        """Return a value as it stands beside its label: a count as a bare figure."""
        return shown(value) if self._slot(key).kind == "count" else self._say(key, value)

    def _say(self, key: str, value: Any, *, plainly: bool = True) -> str:
        return spoken(self._slot(key), value, self._model.values, self._rng, plainly=plainly)

    def _slot(self, key: str) -> Slot:
        return self._model.slots[key]

    def _lived(self, text: str, values: Mapping[str, Any], *, first: bool) -> str:
        """Make a user's turn less tidy, the more complex the conversation: small talk, a slip of the fingers."""
        if first and self._rng.random() < 0.12 * (self._complexity - 1):
            text = phrase("ramble", self._rng, {}) + " " + text
        if self._rng.random() < 0.06 * (self._complexity - 2):
            text = self._slip(text, values)
        return text

    def _slip(self, text: str, values: Mapping[str, Any]) -> str:
        """Swap two letters of a word that carries no value."""
        telling = {word for key, value in values.items() for word in [*split_name(key), *shown(value).lower().split()]}
        telling |= set(names().moments)
        words = [match for match in re.finditer(r"(?<!\w)[a-z]{6,}(?!\w)", text) if match[0] not in telling]
        places = [match.start() for match in words]
        if not places:
            return text
        place = self._rng.choice(places) + self._rng.randint(1, 3)
        return text[:place] + text[place + 1] + text[place] + text[place + 2 :]
