"""The page about `roles_model.py`: its figures as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

Figures = Mapping[str, Any]


def page(found: Figures) -> str:
    """Return the page; every figure on it is one of these."""
    settings = found["settings"]
    which = f"the first {settings['traces']} traces"
    if settings["among"]:
        which = f"the {settings['traces']} traces with the fewest messages of the first {settings['among']}"
    parts = [
        f"# {found['model']} in the pipeline's roles",
        _paragraph(
            f"What `tests/benchmarks/roles_model.py` measured on {found['date']}: the model filters and relabels",
            f"{which} of scenario 2 (arm TFT) and writes {settings['drafts']} conversations after relabelled ones,",
            f"behind our own vLLM server with structured outputs, at most {settings['max_tokens']} tokens an answer.",
            "Each stage begins with what the rules' stage before it wrote. All counts are from the files that",
            "the stages write.",
        ),
        "## Answers",
        _answers(found["answers"]),
        _paragraph(
            f"The engine was ready after {found['seconds until the engine was ready']} s, and the stages, side by",
            f"side, took {found['seconds of the stages, side by side']} s.",
            f"The load average of the last 15 minutes was {found['load average of the last 15 minutes']} on",
            f"{found['cores']} cores.",
        ),
        "## Filter",
        _filter(found["filter"]),
        "## Relabel",
        _relabel(found["relabel"]),
        "## Synthesize",
        _synthesize(found["synthesize"]),
    ]
    if settled := found.get("arbiter"):
        parts += ["## Arbiter", _rows(("", ""), [(what, str(count)) for what, count in settled.items()])]
    return "\n\n".join(parts) + "\n"


def _paragraph(*parts: str) -> str:
    return fill(" ".join(parts), 120, break_long_words=False, break_on_hyphens=False)


def _rows(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    texts = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join([*texts, *("| " + " | ".join(line) + " |" for line in lines)])


def _share(one: Figures) -> str:
    return f"{one['count']} of {one['of']}"


def _why(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{reason}: {count}" for reason, count in counts.items()) or "none"


def _answers(counts: Sequence[Figures]) -> str:
    head = ("role", "questions", "usable", "of them asked again", "unusable", "prompt tokens", "answer tokens", "s")
    keys = ("prompt_tokens", "answer_tokens", "seconds")
    return _rows(
        head,
        [
            [
                one["role"],
                *(str(one[key]) for key in ("questions", "usable", "asked_again")),
                _why(one["unusable"]),
                *(str(one[key]) for key in keys),
            ]
            for one in counts
        ],
    )


def _filter(found: Figures) -> str:
    against = found["rejections of damaged traces"]
    kappa = "not defined, as one of them always decides the same" if found["kappa"] is None else str(found["kappa"])
    table = _rows(
        ("", "model", "rules"),
        [
            ("kept", *(f"{found['kept'][who]} of {found['traces']}" for who in ("model", "rules"))),
            ("rejected because", *(_why(found["refused"][who]) for who in ("model", "rules"))),
            ("of the rejected, damaged", *(_share(against[who]["precision"]) for who in ("model", "rules"))),
            ("of the damaged, rejected", *(_share(against[who]["recall"]) for who in ("model", "rules"))),
        ],
    )
    ratings = "; ".join(f"{quality} {_why(counts)}" for quality, counts in found["ratings of the model"].items())
    words = _paragraph(
        f"All traces are about the task, and {found['damaged']} of {found['traces']} have wrong labels, which a",
        "committee is there to mend: rejecting one is no gain. Same verdict as the rules' on the rated traces:",
        f"{_share(found['same verdict'])}; Cohen's kappa: {kappa}. Ratings that the model gave (rating: traces):",
        f"{ratings}.",
    )
    return f"{table}\n\n{words}"


def _relabel(found: Figures) -> str:
    clean, names = found["equal to the clean label"], ("model", "rules")
    whats = {
        "tool": "right tool, of all turns",
        "all": "the clean label, of all turns",
        "damaged": "of the damaged turns",
        "intact": "of the other turns",
        "service calls": "of the calls of services",
    }
    table = _rows(
        ("", "model", "rules"),
        [
            ("conversations kept", *(f"{found['kept'][who]} of {found['conversations']}" for who in names)),
            ("dropped because", *(_why(found["refused"][who]) for who in names)),
            *((words, *(_share(clean[who][what]) for who in names)) for what, words in whats.items()),
        ],
    )
    words = _paragraph(
        "The committee is the model alone, once, so there is no vote and nothing for an arbiter. It labelled",
        f"{found['labelled by the model']} of {found['turns']} turns; on these it has the rules' tool in",
        f"{_share(found['same tool as the rules'])} and their whole call in {_share(found['same call as the rules'])}.",
        f"Before any relabelling, {_share(clean['model']['as the trace had it'])} turns have the clean label. Calls",
        "are compared in canonical form, replies by their words.",
    )
    return f"{words}\n\n{table}"


def _synthesize(found: Figures) -> str:
    names = ("model", "rules")
    return _rows(
        ("", "model", "rules"),
        [
            ("drafts that pass all gates", *(_share(found[who]["accepted"]) for who in names)),
            ("rejected because", *(_why(found[who]["refused"]) for who in names)),
        ],
    )
