"""The commands that repeat an evaluation, from its report: `tft`'s, and Inspect's on the same task."""

from __future__ import annotations

from harness.evaluation.records import EvalReport
from harness.models.engine.arithmetic import ARITHMETIC
from harness.models.names import DEFAULT_BACKEND
from harness.models.prompts.thinking import DEFAULT, OFF

_SETTINGS = {"max_tokens": "--max-tokens", "base_url": "--base-url", "tool_choice": "--tool-choice", "judge": "--judge"}
"""Recorded settings of a run, and the options of `tft evaluate` that set them."""


def reproduce_command(report: EvalReport) -> list[str]:
    """Return the words of the command that repeats the evaluation: both commits pinned, its settings as recorded."""
    run = report.run
    # As the report has them: a card is made of any report, and quotes what it shows.
    model = f"{run.model}@{run.model_revision}" if run.model_revision and "@" not in run.model else run.model
    words = ["tft", "evaluate", model, "--dataset", f"{run.dataset}@{run.dataset_revision}", "--no-push"]
    for key, option in _SETTINGS.items():
        value = run.config.get(key)
        for one in value if isinstance(value, list) else [] if value is None else [value]:
            words += [option, str(one)]
    pairs = run.config.get("pairs")
    if pairs != run.config.get("pairs_in_test_set"):
        words += ["--limit", str(pairs)]
    if run.thinking:
        words += [] if run.thinking == DEFAULT else ["--thinking", run.thinking]
        words += ["--thinking-tokens", str(run.config.get("thinking_tokens"))]
    elif run.config.get("thinking") == OFF:  # with another variable than where nothing is asked
        words += ["--thinking", OFF]
    words += ["--ask-everything"] if run.config.get("ask_everything") else []
    words += ["--fast"] if run.config.get(ARITHMETIC) else []
    words += ["--trust-remote-code"] if run.config.get("trust_remote_code") else []
    return words + _engine_options(run.config.get("engine_args"))


def inspect_command(report: EvalReport) -> list[str] | None:
    """Return the words of Inspect's command that repeats it; None where its model provider does not take the model.

    That is so of endpoints, of adapters, of thinking that was asked for, and of runs with engine arguments. Judges are
    left out: Inspect's table has the metrics by code.
    """
    run = report.run
    backend, _, name = run.model.partition(":")
    asked = run.config.get("thinking") not in (None, False, DEFAULT)
    if backend != DEFAULT_BACKEND or run.config.get("engine_args") or "adapter" in run.config or asked:
        return None
    name = f"{name}@{run.model_revision}" if run.model_revision and "@" not in name else name
    words = ["inspect", "eval", "tft/benchmark", "--model", f"tft/{name}"]
    words += ["-T", f"dataset={run.dataset}@{run.dataset_revision}"]
    pairs, most = run.config.get("pairs"), run.config.get("max_tokens")
    words += ["-T", f"limit={pairs}"] if pairs != run.config.get("pairs_in_test_set") else []
    words += ["--max-tokens", str(most)] if most else []
    words += ["-M", "fast=true"] if run.config.get(ARITHMETIC) else []
    return words + (["-M", "trust_remote_code=true"] if run.config.get("trust_remote_code") else [])


def _engine_options(arguments: object) -> list[str]:
    """Return the engine's argument words, `--key value` or `--flag`, as options of `tft evaluate`."""
    options: list[str] = []
    for word in map(str, arguments if isinstance(arguments, list) else ()):
        if word.startswith("--"):
            options.append(f"--engine-arg={word.removeprefix('--')}")
        elif options:
            options[-1] += f"={word}"
    return options
