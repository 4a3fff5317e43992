"""`tft serve`: an OpenAI-compatible endpoint for a model, with the prompts and the readings of its evaluation."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import _options
from harness.errors import CheckFailed
from harness.terminal import echo

if TYPE_CHECKING:
    from harness.models.serving.parity import Parity
    from harness.models.serving.serve import Endpoint


@click.command(
    epilog="""\b
Examples:
  tft serve me/my-model
  tft serve me/my-model --task my-agent/job_description.json --port 9000
  tft serve me/base --adapters me/adapter-1 --adapters me/adapter-2@v3
  tft serve me/my-model --task me/tft-benchmark-testset --check
"""
)
@click.argument("model")
@click.option(
    "--adapters",
    multiple=True,
    metavar="REPO[@REV]",
    help="Serve this LoRA adapter of MODEL too; repeat for several. Requests choose with their `model`.",
)
@click.option(
    "--task",
    metavar="FILE|REPO[@REV]",
    help="What the model was trained on: a task definition or a test set. Default: what its lineage says, else each "
    "request's own tools, as with `none`.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Any other address needs --api-key.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option("--api-key", metavar="KEY", help="What requests have to carry. Better set in TFT_SERVE_API_KEY.")
@_options.allow_hosts
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    help="Longest answer to requests that name none.",
)
@click.option("--engine-arg", "engine_args", multiple=True, metavar="KEY=VALUE", help="Passed to vLLM.")
@click.option(
    "--log",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("engine.log"),
    show_default=True,
    help="File for the engine's output.",
)
@click.option("--trust-remote-code", is_flag=True, help="Let the model repository run its own code. Read it first.")
@click.option("--fast", is_flag=True, help="On the CPU: bfloat16 where the processor has it, and compiled.")
@click.option(
    "--check",
    is_flag=True,
    help="Compare 20 turns of the test set with the evaluation, token by token, and end: 1 where any differs.",
)
@_options.day_option("the day of each request")
@_options.hub
def command(
    *,
    model: str,
    adapters: tuple[str, ...],
    task: str | None,
    host: str,
    port: int,
    api_key: str | None,
    allow_hosts: tuple[str, ...],
    max_tokens: int,
    engine_args: tuple[str, ...],
    log: Path,
    trust_remote_code: bool,
    fast: bool,
    check: bool,
    day: date | None,
    hub: str | None,
) -> None:
    """Serve MODEL at an OpenAI-compatible address until Ctrl-C, as `tft evaluate` asks it.

    Conversations are rendered by the model's own chat template in the form of the evaluation, sent as token ids, and
    answers are read in the model's notation. A call of the tool that speaks to the user comes back as the assistant's
    text, other calls as tool_calls: an agent that talked to a large model talks to this one by changing an address.
    """
    from harness.hub.connect import connected
    from harness.models.backends._base import EvaluateConfig
    from harness.models.chat.chat_models import ChatSettings
    from harness.models.engine.build import check_installed, fast_arithmetic, split_engine_args
    from harness.models.serving.serve import Endpoint, ServeOptions, pull

    check_installed()
    words = split_engine_args(engine_args)
    config = EvaluateConfig(
        asking=ChatSettings(max_tokens=max_tokens, engine_args=words),
        trust_remote_code=trust_remote_code,
        day=day,
        arithmetic=fast_arithmetic(words, adapters=bool(adapters)) if fast else None,
    )
    options = ServeOptions(
        model=model,
        adapters=adapters,
        task=task,
        host=host,
        port=port,
        key=api_key,
        allow_hosts=allow_hosts,
        log=log,
        config=config,
    )
    with connected(hub) as client:
        endpoint = Endpoint(options, pull(options, client))
    if check:
        _show(_checked(endpoint))
    else:
        endpoint.run()


def _checked(endpoint: Endpoint) -> Parity:
    """Serve for as long as a comparison takes, and return what it has found."""
    import threading

    from harness.models.serving.parity import compare_with_evaluation

    found: list[Parity] = []
    errors: list[BaseException] = []

    def compare() -> None:
        try:
            found.append(compare_with_evaluation(endpoint))
        except BaseException as error:  # raised again in the main thread
            errors.append(error)
        finally:
            endpoint.stop()

    endpoint.run(lambda _: threading.Thread(target=compare, daemon=True).start())
    if errors:
        raise errors[0]
    if not found:
        raise KeyboardInterrupt
    return found[0]


def _show(parity: Parity) -> None:
    echo(
        f"{parity.pairs} turns: {len(parity.prompts)} prompts and {len(parity.answers)} answers differ from those of "
        "tft evaluate"
    )
    if not parity.equal:
        named = ", ".join((*parity.prompts, *parity.answers)[:5])
        raise CheckFailed(f"the endpoint does not do what the evaluation does, first for {named}; please report it")
