"""The command `tft`: one module per subcommand beside this one, nothing heavy imported until one runs."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys

import click

from harness import __version__, cli
from harness.cli._options import write_commands
from harness.errors import HarnessError, end_on_signals, explained, interruption
from harness.terminal import run_guarded, say

_SECTIONS = {
    "Evaluate": ("evaluate", "score", "judge", "agreement", "compare", "card"),
    "Make training data from traces": (
        "inspect-traces",
        "job",
        "filter",
        "relabel",
        "synthesize",
        "repair-report",
        "export",
        "task",
    ),
    "Train": ("train", "student"),
    "Serve": ("serve",),
    "Run and publish the benchmark": (
        "demo",
        "benchmark",
        "run",
        "report",
        "results",
        "publish",
        "lineage",
        "data",
        "sources",
    ),
    "Hub": ("hub",),
}


class _Commands(click.Group):
    """Finds commands by listing this package; each module defines `command`, in names `_` is `-`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        modules = pkgutil.iter_modules(cli.__path__)
        return sorted(module.name.replace("_", "-") for module in modules if not module.name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = cmd_name.replace("-", "_")
        command: click.Command = importlib.import_module(f"{cli.__name__}.{module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by what they are for, each with the whole first sentence of its help."""
        names = self.list_commands(ctx)
        listed = {name for section in _SECTIONS.values() for name in section}
        for title, section in (*_SECTIONS.items(), ("Tools", [name for name in names if name not in listed])):
            commands = [(name, self.get_command(ctx, name)) for name in section]
            write_commands(formatter, title, [(name, one) for name, one in commands if one])


_SETTINGS = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 110,
    # Every option is a variable too, TFT_EVALUATE_LIMIT for `tft evaluate --limit`; an empty one is none. Workflows
    # hand what people typed over in variables: no shell reads it.
    "auto_envvar_prefix": "TFT",
}


@click.group(cls=_Commands, context_settings=_SETTINGS)
@click.version_option(__version__, prog_name="tft")
def tft() -> None:
    """Evaluate tool-calling models on the TFT (Training from Traces) benchmark, and publish the results.

    Models and datasets live on a Hugging Face Hub: huggingface.co with HF_TOKEN, or a local one (tft hub serve).
    """


def main() -> None:
    """Run `tft`; errors raised on purpose end as one sentence on stderr and their exit status."""
    end_on_signals()
    sys.exit(run_guarded(_run))


def _run() -> int:
    try:
        return tft.main(standalone_mode=False) or 0
    except click.ClickException as error:
        error.show(file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        word, status = interruption(error)
        say(word)
        return status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (HarnessError, OSError) as error:
        sentence, status = explained(error)
        say(f"error: {sentence}", lines=getattr(error, "has_lines", False))
        return status


if __name__ == "__main__":
    main()
