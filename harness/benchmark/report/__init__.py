"""The benchmark's results in one place: tables, a verdict, plots and a page, from the results dataset at one commit.

assign.py                    Which result belongs to which cell of the benchmark, and which must be in no table. Pure
baseline_results.py          The models evaluated beside the trained ones: which results are theirs, why others are in
                             no table
build.py                     The report of the benchmark: from the results dataset at one commit to tables, plots and
                             pages
format.py                    The words of the report: pipelines, runs, metrics, who is ahead. Plain text, the same in
                             every file
judges.py                    Who judged the results, and which metrics they have in common
losses.py                    The losses of all trainings: read from the model repositories, and drawn side by side
notes.py                     What to know beside the tables: who judged, what cannot be compared, what was measured
                             again
plot_scores.py               TFT against Direct as a plot: one line per scenario, with intervals; published values as
                             hollow marks
records.py                   The records of the report, frozen; whatever is shown comes from here
repair_records.py            The records of damage and repair, frozen
repair_words.py              What was damaged and what became of it, in plain sentences
repairs.py                   Repair quality per scenario: the traces of models against the clean ones, measured and
                             drawn
results.py                   The results dataset at one commit: reports, rows, lineage, and the record of the
                             benchmark's run
tables.py                    Cells to tables: means over pairs and seeds, paired differences, published values beside
                             them. Pure
terminal.py                  The main table of the report in a terminal
thresholds.py                What makes training worth its while: `datasets/verdict.yaml`, or a file in its place
to_json.py                   `results.json`: every figure of the report with what it was computed from, and its
                             addresses. Pure
training_verdict.py          Whether training was worth it: what the arms gain over what needs no training. Pure
training_verdict_records.py  The records of that, frozen
training_verdict_words.py    The same in plain sentences, and what to change where it cannot be told yet
verdict.py                   What the main table says, in plain sentences: where TFT beats Direct, where not, where it
                             is undecided
write.py                     The files of the report: Markdown, JSON, a page and the card of its Space
"""
