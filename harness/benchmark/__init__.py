"""The benchmark as a whole: its cells, their names, how they are run, and what became of them.

cells.py       The cells of the benchmark, what they have in common, and the names of what they make
estimate.py    What a plan would take, before it is run: seconds, tokens of training, questions to language models,
               their cost
execute.py     How a step is run: its request in a process of its own here, or its command as a job on rented hardware
plan.py        A run of the benchmark as a graph of steps: each once, what it waits for, and the cells that need it
presets.py     Presets: how the cells of a run are run, from `datasets/presets.yaml` or a file of the user's
record.py      What a run of the benchmark leaves beside its results: an entry a cell. Report and publish read it
reuse.py       What of a plan is on the Hub already, and what earlier versions of stages have made of it
run.py         Plan, check, run, record: one run of the benchmark
sample_job.py  The sample task as a job folder: simulated traces, damaged by the benchmark's recipe, and a clean
               test set
schedule.py    The steps of a plan, run as soon as what they need is there, several side by side; a failure ends its
               cell only
steps.py       The steps of a cell, from the sources to a scored model: requests to stages, and the commands that say
               the same
table.py       The cells and stages of a run as a table: live on a terminal, a line a change elsewhere, and at the
               end
release/       Its results made public, as one version
report/        Its results: tables, verdict, plots, page
"""
