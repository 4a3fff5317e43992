"""From a model's answers to scores to a report: metrics, judges, comparisons.

answer_log.py           The log of a run's answers: append-only, resumable after any interruption
baselines.py            Null baselines: what answers score that need no model; a model has to beat them
card_verdict.py         What stands beside a model's scores on its card: other models, and the verdict
conversation_scores.py  Scores by whole conversation: success, and the turn of the first error (pure)
infer_conversations.py  Infers which rows of published files belong to one conversation
metrics.py              Metrics over raw strings, found by listing `eval/`, one folder per metric
predictions.py          Files of predictions, in the published layout or that of our results, as records
records.py              EvalRun, EvalReport and their parts
report_json.py          Evaluation reports as JSON, and as the Hub's `.eval_results/*.yaml`
results.py              The results dataset: the one reader of its reports, rows and lineages
run_folder.py           The folder of one evaluation, whose it is, and the finished evaluation
sample_scores.py        Several samples of each pair: their means, and what they show beside them (pure)
scorecard.py            Answers -> scores -> report: how the numbers of an evaluation are made (pure)
thinking.py             Thinking apart from answers: split off where a text has it, and counted (pure)
comparison/             Two results on the same pairs, and a gate
judge/                  LLM as a judge
"""
