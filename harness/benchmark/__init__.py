"""The benchmark: plan its cells, run them, report and release the results.

baseline_steps.py  The evaluations beside the cells: the untrained student, the model that wrote the traces, the
                   teacher
card_verdicts.py   The verdict on the cards of the models: pushed beside their results, and then onto the cards
cells.py           The cells of the benchmark, what they have in common, and the names of what they make
estimate.py        What a plan would take: seconds, training tokens, questions to language models and their cost
execute.py         How a step is run: its request in a process of its own here, or its command as a job on rented
                   hardware
plan.py            The steps of a run as a graph shared by cells
presets.py         Presets: how the cells of a run are run, from `datasets/presets.yaml` or the user's own file
record.py          What a run of the benchmark leaves beside its results: one entry per cell, for report and publish
reuse.py           What of a plan is on the Hub already, and what earlier versions of stages have made of it
run.py             Plan, check, run, record: one run of the benchmark
sample_job.py      The sample task as a job folder: simulated traces, damaged by the benchmark's recipe, a clean test
                   set
schedule.py        Runs the steps of a plan as soon as their inputs are there, several side by side; a failure ends
                   its cell only
steps.py           One step of a run: the request to a stage, and the command of `tft` that says the same
table.py           The cells and stages of a run as a table: live on a terminal, one line per change elsewhere
measurements/      Its results as files of a repository, and the page that shows them
release/           Its results made public, as one version
report/            Its results: tables, verdict, plots, page
"""
