"""Traces to training data.

annotators.py  Who plays a role of the pipeline: a rule-based stand-in, or a language model, by name
job_config.py  The `config.yaml` of a job folder: the published keys, what they are called here, and which have no
               effect here
job_folder.py  A job folder: the task, the traces, and where there are some a test set and settings
settings.py    The settings of filter, relabel and synthesize: published ones as defaults, by scenario where it has
               its own
checks/        Deterministic checks, duplicates, contamination
committee/     Several labelers, an arbiter, decisions
inspection/    What is in a file of traces, and personal data
llm_roles/     Language models as rater, labeler, arbiter, writer
repair/        How well damaged traces were repaired
"""
