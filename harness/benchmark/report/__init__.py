"""The benchmark's results in one place: tables, a verdict, plots and a page, from the results dataset at one commit.

assign.py       Which result belongs to which cell of the benchmark, and which must not stand in a table. No effects
build.py        The report of the benchmark: from the results dataset at one commit to tables, plots and pages
format.py       Figures as the report writes them: scores, intervals, points, p values. Plain text, the same in
                every file
judges.py       Who judged the results, and which metric is the primary one. No effects
links.py        Addresses of what figures were computed from, at their commits, and the command that follows them.
                No effects
notes.py        What a reader has to know beside the tables: who judged, what cannot be compared, what was measured
                anew
plot_losses.py  The losses of all trainings, from the logs in the model repositories, side by side
plot_repair.py  Repair quality as a picture: one line a scenario, how right calls were as they came, and how right
                they are now
plot_scores.py  TFT against Direct as a picture: one line a scenario, with intervals, and the published values as
                hollow marks
records.py      The nouns of the summary. Frozen values; what is shown anywhere comes from here
repairs.py      Repair quality by scenario: the filtered and relabelled traces that models came from, against the
                clean ones
results.py      The results dataset at one commit: reports, rows, lineage, and the record of the benchmark's run
tables.py       Cells to tables: means over pairs and seeds, paired differences, and what is published beside them.
                No effects
terminal.py     The main table of the report in a terminal
to_json.py      `results.json`: every figure of the report, with what it was computed from. No effects
verdict.py      What the main table says, in plain sentences: where TFT beats Direct, where not, and where nobody
                can tell
write.py        The files of the report: Markdown, JSON, a page and the card of its Space
"""
