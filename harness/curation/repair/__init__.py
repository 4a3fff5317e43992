"""Repair quality of damaged traces, measured against the clean ones.

ground_truth.py  What traces should have been: the clean conversations, what was done to them, and which belong to
                 the task
labels.py        What became of every label: repaired, dropped, left wrong, or wrong only since the repair, counted by
                 kind of damage
measure.py       Rows of a stage, or any traces, against the truth: what a repair report is made from
outcomes.py      What became of each assistant turn: was it wrong, was it touched, is it right now
scores.py        The repair report: precision and recall of detection and repair, by kind of damage, from outcomes.
                 Pure
"""
