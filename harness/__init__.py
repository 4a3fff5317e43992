"""tft-harness: an evaluation-first harness built around Hugging Face Hub artifacts.

errors.py     Every error the harness raises on purpose
resources.py  Where the three folders of declarations are, in a checkout or in an installed wheel
secrets.py    Secret values, and masking them in all output
terminal.py   Terminal output: results on stdout, everything else on stderr
benchmark/    The benchmark: its cells, report and release
cli/          The command `tft`, one file per subcommand
curation/     From traces to training data: checks, committee, synthesis
data/         Conversations, tasks and scenarios, and the file formats they come in
evaluation/   From answers to scores to a report: metrics, judges, comparisons
hub/          The client of a Hub; lineage; jobs
hubd/         The embedded Hub, independent of the rest
models/       Prompts, backends, inference engine, endpoints, parsing of tool calls
reports/      Cards, tables, plots and comments
rules/        Rule-based judge, labelers and teacher
stages/       One file per stage: pinned inputs to one artifact on the Hub
statistics/   Clustered estimates, paired tests, agreement
training/     Token-exact fine-tuning
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("tft-harness")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
