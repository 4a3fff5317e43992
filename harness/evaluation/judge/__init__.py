"""LLM-as-a-judge: prompts, verdicts, what code decides, panels, and the judges themselves.

judge_evaluations.py  The judge metric of evaluations: the rows of their reports, judged together
judge_files.py        Files of predictions, judged: the same rows with a verdict and its reason in each
judges.py             The judges: rules, an endpoint, or a checkpoint behind the harness's own vLLM server
labels.py             Labelled rows, to measure how far a judge can be trusted
panel.py              Cases x judges -> judgements: code decides what it can, judges vote on the rest
prompt.py             The judge's prompt: constants first, then the case, every untrusted text as one line of JSON
"""
