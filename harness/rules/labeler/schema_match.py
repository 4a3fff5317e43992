"""Which tool of the task an old tool is: an assignment by names, arguments, results and who is spoken to.

Nothing is learned from labels. What a conversation shows counts most; what others show of the same names is added, as
far as the names mean the same there, so that a conversation that says little is read like the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from harness.data.canonical import plain_text
from harness.data.tools import Toolbox
from harness.rules.labeler.schema_arguments import ArgumentMatcher, Pair, best_assignment
from harness.rules.labeler.schema_profile import Profiles
from harness.rules.labeler.schema_usage import ArgumentUsage, Group, Use, grouped
from harness.rules.labeler.schema_words import likeness, name_words, verb_class, word_likeness, word_weight, words

_NAME, _SAME = 2.5, 2.0
_ARGUMENTS, _LACKS, _SPARE = 0.8, 1.5, 0.6
_SPEAKS = 6.0
_CLASS, _ROWS_SAY = 0.8, 1.2
_POOL = 0.5
_ACCEPT = -1.5
_SURE = 2.0
"""Values of a pair of this score are taken for values of the parameter elsewhere."""
_CHANCE = 0.5
"""The share of conversations in which a name has one meaning must exceed this for other conversations to count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """An old tool and the one that it is, with its arguments. Arguments without a pair have no counterpart."""

    old: str
    new: str
    score: float
    margin: float
    """How much better than the next tool."""
    pairs: tuple[Pair, ...]


Option = tuple[float, tuple[Pair, ...]]


class Matcher:
    """Matches the tools of conversations with those of a task. The traces of a batch are read twice.

    `batch` holds the calls of each conversation; those at the positions `foreign` are to be matched, all show values.
    """

    def __init__(self, toolbox: Toolbox, batch: Sequence[Sequence[Use]], foreign: Sequence[int]) -> None:
        self._toolbox = toolbox
        self._tools = (*toolbox.services, toolbox.reply.tool)
        self._open = words().no_preference - _members(toolbox)
        profiles = Profiles(toolbox, batch)
        self._pool = grouped([use for position in foreign for use in batch[position]], self._open)
        self._arguments = ArgumentMatcher(toolbox, profiles, self._pool)
        self._pool_score = cache(self._score_of_pool)
        self._trust: Mapping[tuple[str, ...], float] = {}
        self._learn(profiles, [batch[position] for position in foreign])

    def match(self, found: Sequence[Use]) -> dict[str, Match]:
        """Return the match of each old tool of a conversation; tools without evidence are left out."""
        groups = grouped(found, self._open)
        if not groups:
            return {}
        evidence = self._arguments.evidence(groups)
        names = list(groups)
        options = {(old, new): self._option(groups[old], evidence[old], new) for old in names for new in self._tools}
        scores = [[options[old, new][0] for new in self._tools] for old in names]
        chosen = {names[row]: self._tools[column] for row, column in best_assignment(scores).items()}
        matches = (self._matched(old, chosen.get(old), options) for old in names)
        return {match.old: match for match in matches if match.score >= _ACCEPT}

    def _matched(self, old: str, chosen: str | None, options: Mapping[tuple[str, str], Option]) -> Match:
        """Return the match with the chosen tool; with the best one where there are more old tools than new ones."""
        new = chosen or max(self._tools, key=lambda tool: options[old, tool][0])
        score, pairs = options[old, new]
        others = [options[old, other][0] for other in self._tools if other != new]
        return Match(old=old, new=new, score=score, margin=score - max(others, default=0.0), pairs=pairs)

    def _learn(self, profiles: Profiles, foreign: Sequence[Sequence[Use]]) -> None:
        """Match each conversation by its own evidence; learn from that the values of parameters and the meaning of
        names.

        A name (tool; tool and argument) without one meaning in most conversations is drawn anew in each, so other
        conversations say nothing of it: its trust is 0; it is 1 for a name with a single meaning.
        """
        votes: dict[tuple[str, ...], Counter[str]] = {}
        for found in foreign:
            groups = grouped(found, self._open)
            for match in self.match(found).values():
                votes.setdefault((match.old,), Counter())[match.new] += 1
                for pair in match.pairs:
                    votes.setdefault((match.old, pair.old), Counter())[pair.new] += 1
                    if pair.score >= _SURE and match.new != self._toolbox.reply.tool:
                        profiles.add(pair.new, groups[match.old].evidence[pair.old].values)
        profiles.settle()
        shares = {name: max(count.values()) / count.total() for name, count in votes.items()}
        self._trust = {name: max(0.0, (share - _CHANCE) / (1 - _CHANCE)) for name, share in shares.items()}
        self._arguments.trust = self._trust

    def _option(self, group: Group, evidence: Mapping[str, ArgumentUsage], new: str) -> Option:
        """Return how well an old tool is a new one, and the pairs of arguments that go with it."""
        pairs = self._pairs(group, evidence, new)
        score = self._score(group, new, pairs)
        trust = self._trust.get((group.name,), 0.0)
        return score + (_POOL * trust * self._pool_score(group.name, new) if trust else 0.0), pairs

    def _score_of_pool(self, name: str, new: str) -> float:
        pooled = self._pool[name]
        return self._score(pooled, new, self._pairs(pooled, pooled.evidence, new))

    def _pairs(self, group: Group, evidence: Mapping[str, ArgumentUsage], new: str) -> tuple[Pair, ...]:
        if new != self._toolbox.reply.tool:
            return self._arguments.pairs(group, evidence, new)
        lengths = {key: max(map(len, found.values), default=0) for key, found in sorted(group.evidence.items())}
        if not lengths:
            return ()
        text = max(lengths, key=lengths.__getitem__)
        return (Pair(old=text, new=self._toolbox.reply.argument, score=_SPEAKS, margin=_SPEAKS),)

    def _score(self, group: Group, new: str, pairs: Sequence[Pair]) -> float:
        toolbox = self._toolbox
        description = toolbox.description(new) if new in toolbox.names else ""
        score = _NAME * likeness(group.name, new, description) + (_SAME if group.name == new else 0.0)
        if new == toolbox.reply.tool:
            return score + _SPEAKS * group.share_said
        score -= _SPEAKS * max(0.0, group.share_said)
        olds, filled = {pair.old for pair in pairs}, {pair.new: pair.old for pair in pairs}
        required = [name for name, parameter in toolbox.parameters(new).items() if parameter.required]
        lacking = sum(filled.get(name) not in use.call.arguments for use in group.found for name in required)
        spare = sum(key not in olds for use in group.found for key in use.call.arguments)
        score -= (_LACKS * lacking + _SPARE * spare) / len(group.found)
        score += _ARGUMENTS * sum(pair.score for pair in pairs) / max(1, len(group.evidence))
        return score + _CLASS * _class_says(group, new) + _ROWS_SAY * self._rows_say(group, new)

    def _rows_say(self, group: Group, new: str) -> float:
        """Return how much of what sets this tool's name apart from the others' stands in the keys of the results."""
        keys = sorted({word for use in group.found for row in use.rows for key in row for word in name_words(key)})
        others = {word for tool in self._toolbox.services if tool != new for word in name_words(tool)}
        own = [word for word in name_words(new) if word not in others and word_weight(word) == 1.0]
        met = sum(any(word_likeness(word, key) == 1.0 for key in keys) for word in own)
        return met / max(1, len(own))


def _class_says(group: Group, new: str) -> float:
    """Return what the verbs and the number of rows say: a tool that does something returns one row at most."""
    wanted, named = verb_class(new), verb_class(group.name)
    score = 0.0
    if wanted and named:
        score += 1.0 if wanted == named else -1.0
    counts = [len(use.rows) for use in group.found if use.answer == "result"]
    if wanted and counts:
        several = sum(count > 1 for count in counts) / len(counts)
        score += several if wanted == "looks" else 0.5 - 2 * several
    return score


def _members(toolbox: Toolbox) -> frozenset[str]:
    """Return the members of all enumerations: a member says something even where it is a word for no wish."""
    parameters = (parameter for tool in toolbox.names for parameter in toolbox.parameters(tool).values())
    return frozenset(plain_text(choice) for parameter in parameters for choice in parameter.choices)
