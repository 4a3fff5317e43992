"""Answers to scores to a report.

answers.py           The log of a run's answers: append-only, and gone on with after any interruption
baselines.py         Null baselines: what answers score that need no model. A model has to beat them before its
                     score says anything
conversations.py     Which rows of published files share a conversation: it follows from what was said in each
dialogue_success.py  Scores by whole conversation: is every turn right, and where does the first error come. No
                     effects
metrics.py           Metrics over raw strings, found by listing `eval/`, one folder a metric
outcome.py           A finished evaluation: its folder and its numbers
predictions.py       Files of predictions, in the published layout or our results' own, as records
records.py           EvalRun, EvalReport and what they are made of
report_json.py       Evaluation reports as JSON, and as the Hub's `.eval_results/*.yaml`
results.py           The results dataset: the one reader of its reports, rows and lineages
run_folder.py        The folder of one evaluation, and whose it is
scorecard.py         Answers -> scores -> report: how the numbers of an evaluation are made. No effects
comparison/          Two results on the same pairs, and a gate
judge/               LLM as a judge
"""
