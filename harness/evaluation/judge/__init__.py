"""LLM-as-a-judge: the prompt, the verdict, what code decides, panels, and the judges themselves.

judge_evaluations.py  The judge metric of evaluations: their rows as cases, judged in one go, and put back into
                      their places
judge_files.py        Files of predictions, judged: the same rows with a verdict and its reason beside each
judges.py             The judges: rules, an endpoint, or a checkpoint behind our own vLLM server
labels.py             A labelled slice: rows of which somebody says whether they are good, to see how far a judge
                      can be trusted
panel.py              Several judges, one verdict: majority, and members that fail
prompt.py             The judge's prompt: constants first, then the case, in which every text that others wrote is
                      one line of JSON
run.py                Cases x judges -> judgements: code decides what it can, each judge is asked for the rest, once
"""
