"""How well `rules:judge` judges: agreement with published verdicts, false bads on true messages, recall by error.

Needs the source files (TFT_SOURCES). Further files of predictions with verdicts (column `llm-as-a-judge`) can be given.
"Withheld" blanks the message of the reference, so that verdicts rest only on the conversation and tool results.

    TFT_SOURCES=sources python tests/benchmarks/rules_judge.py [--dialogues 50] [FILE...]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.data.formats.messages import expand_pairs
from harness.data.formats.published import read_test_conversations
from harness.data.formats.sgd import parse_dialogues
from harness.data.records import Case, TurnPair
from harness.evaluation.predictions import read_predictions
from harness.rules.judge.rubric import judge, settings
from support.false_calls import case, corrupted

LABEL = "llm-as-a-judge"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--dialogues", type=int, default=50, help="at most so many SGD dialogues of each service")
    options = parser.parse_args()
    sources = Path(os.environ.get("TFT_SOURCES") or "sources")
    if not sources.is_dir():
        print("nothing measured: set TFT_SOURCES to a folder with the source files, see `tft sources fetch`")
        return
    benchmark = sources / "tft-benchmark"
    print(f"data {settings()['data_sha256'][:12]}\n\nverdicts of the published judge")
    for path in (benchmark / "predictions" / "base.jsonl", benchmark / "predictions" / "tuned.jsonl", *options.files):
        verdicts(path)
    test = expand_pairs(read_test_conversations(benchmark / "test.jsonl"))
    services = sgd(sources / "sgd", options.dialogues)
    print("\nfalse bads on true calls: with the reference, withheld")
    start = time.perf_counter()
    truths("test set", test)
    print(f"  ({len(test)} cases twice in {time.perf_counter() - start:.2f} s)")
    for service, pairs in sorted(services.items()):
        truths(service, pairs)
    truths("all SGD", [pair for pairs in services.values() for pair in pairs])
    print("\nrecall of made errors: with the reference, withheld")
    recalls("test set", test)
    recalls("SGD, other services", [p for name, pairs in services.items() if name != "Restaurants_1" for p in pairs])


def sgd(folder: Path, limit: int) -> dict[str, list[TurnPair]]:
    """Return the pairs of the dialogues of each service."""
    services: dict[str, list[TurnPair]] = {}
    taken: Counter[str] = Counter()
    for path in sorted(folder.glob("*/dialogues_*.json")):
        for trace in parse_dialogues(path.read_bytes(), split=path.parent.name, where=path.name):
            taken[trace.service] += 1
            if taken[trace.service] <= limit:
                services.setdefault(trace.service, []).extend(expand_pairs([trace.conversation]))
    return services


def verdicts(path: Path) -> None:
    rows = [row for row in read_predictions(path) if row.row.get(LABEL) is not None]
    pairs: list[tuple[bool, bool, bool]] = []
    for row in rows:
        vote = judge(
            Case(
                id=row.id,
                conversation=row.conversation,
                prefix=row.prefix or (),
                reference=row.reference,
                prediction=row.prediction or "",
                call=row.call,
            ),
            None,
        )
        named = row.call is not None and row.call.name == row.reference.name
        pairs.append((row.row[LABEL] < 0.5, vote.value == 0.0, named))
    same = [(label, vote) for label, vote, named in pairs if named]
    found, bad = sum(label and vote for label, vote in same), sum(label for label, _ in same)
    false, good = sum(vote and not label for label, vote in same), sum(not label for label, _ in same)
    value = kappa([(label, vote) for label, vote, _ in pairs])
    names = kappa([(label, not named) for label, _, named in pairs])
    print(
        f"  {path.name}: n {len(pairs)}, kappa {value:.3f} (names only {names:.3f}); "
        f"same name: {found} of {bad} bad found, {false} of {good} good called bad"
    )


def kappa(pairs: list[tuple[bool, bool]]) -> float:
    """Return Cohen's kappa (Cohen 1960) of two raters."""
    n = len(pairs)
    observed = sum(a == b for a, b in pairs) / n
    one, other = sum(a for a, _ in pairs) / n, sum(b for _, b in pairs) / n
    chance = one * other + (1 - one) * (1 - other)
    return (observed - chance) / (1 - chance) if chance < 1 else 1.0


def truths(name: str, pairs: Iterable[TurnPair]) -> None:
    bad, n = [0, 0], 0
    for pair in pairs:
        n += 1
        for column, withheld in enumerate((False, True)):
            bad[column] += judge(case(pair, pair.reference, withheld=withheld), None).value == 0.0
    print(f"  {name}: {n} calls, {bad[0]}, {bad[1]} ({bad[1] / max(n, 1):.2%})")


def recalls(name: str, pairs: Iterable[TurnPair]) -> None:
    counts: dict[str, list[int]] = {}
    for pair in pairs:
        for kind, call in corrupted(pair):
            count = counts.setdefault(kind, [0, 0, 0])
            count[0] += 1
            for column, withheld in enumerate((False, True), 1):
                count[column] += judge(case(pair, call, withheld=withheld), None).value == 0.0
    for kind, (n, known, withheld) in sorted(counts.items()):
        print(f"  {name}, {kind}: {n} errors, {known / n:.3f}, {withheld / n:.3f}")


if __name__ == "__main__":
    main()
