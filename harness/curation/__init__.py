"""From traces to training data: checks, relabelling by a committee, repair quality, job folders.

annotators.py      Raters, labelers, arbiters and writers by name: a rule-based stand-in, or a language model
job_folder.py      A job folder: the task, the traces, an optional test set and `config.yaml` with the published keys
stage_settings.py  The settings of filter, relabel and synthesize, with the published ones as defaults
checks/            Deterministic checks, duplicates, contamination
committee/         Several labelers, an arbiter, decisions
inspection/        What is in a file of traces, and personal data
job_init/          From an export of production traces to a job folder, and what it lacks
llm_roles/         Language models as rater, labeler, arbiter, writer
repair/            How well damaged traces were repaired
"""
