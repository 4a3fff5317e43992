"""The benchmark's results in one place: tables, a verdict, plots and a page, from the results dataset at one commit.

assign.py       Which result belongs to which cell of the benchmark, and which must be in no table. Pure
build.py        The report of the benchmark: from the results dataset at one commit to tables, plots and pages
format.py       The words of the report: pipelines, runs, metrics, who is ahead. Plain text, the same in every file
losses.py       The losses of all trainings: read from the model repositories, and drawn side by side
notes.py        What a reader has to know beside the tables: who judged, what cannot be compared, what was re-evaluated
plot_scores.py  TFT against Direct as a plot: one line per scenario, with intervals; published values as hollow marks
records.py      The records of the report, frozen; whatever is shown comes from here
repairs.py      Repair quality per scenario: the traces that models came from against the clean ones, measured and drawn
results.py      The results dataset at one commit: reports, rows, lineage, and the record of the benchmark's run
tables.py       Cells to tables: means over pairs and seeds, paired differences, published values beside them. Pure
terminal.py     The main table of the report in a terminal
to_json.py      `results.json`: every figure of the report with what it was computed from, and its addresses. Pure
verdict.py      What the main table says, in plain sentences: where TFT beats Direct, where not, where it is undecided
write.py        The files of the report: Markdown, JSON, a page and the card of its Space
"""
