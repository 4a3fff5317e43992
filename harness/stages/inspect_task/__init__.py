"""The benchmark as a task of Inspect, which its own commands run: `inspect eval tft/benchmark --model tft/MODEL`.

chat_answers.py   What a model of any provider has answered, as the raw text that is scored, and the tools it is shown
engine_thread.py  A model of ours in a thread of its own, asked for one answer at a time
judge_scorer.py   The judge metric as a scorer of Inspect: one judge, asked about one sample at a time
model.py          The model provider `tft/`: the harness's own prompts and backends behind Inspect's interface
plugin.py         What Inspect loads: every name under which it finds task, scorers, metric and provider
scorers.py        The benchmark's metrics as Inspect's scorers, one sample at a time, and their mean with its interval
task.py           The task: the pairs of a test set as samples
"""
