"""tft-harness: an evaluation-first harness built around Hugging Face Hub artifacts.

errors.py     Every error the harness raises on purpose
resources.py  Where the three folders below are: in a checkout, or inside an installed wheel
secrets.py    Keys, tokens and passwords: found in texts, and masked
terminal.py   What a person sees: results on stdout, the rest on stderr
benchmark/    The benchmark run as a whole
cli/          The command `tft`, one file per subcommand
curation/     Traces to training data
data/         Conversations, tasks, and the files they come in
evaluation/   Answers to scores to a report
hub/          The one client of a Hub, lineage, jobs
hubd/         The embedded Hub; a sibling that can be lifted out
models/       A conversation to a prompt, an answer to a call
reports/      What people read: cards, tables, plots, comments
rules/        Rule-based stand-ins; can be lifted out
stages/       One file per stage: pinned inputs to one artifact on the Hub
statistics/   Clustered estimates, paired tests, agreement
training/     Token-exact fine-tuning
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("tft-harness")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
