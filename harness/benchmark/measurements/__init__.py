"""Measured results that are kept in a repository: one file per model, without any text of the test set, and their page.

cost.py      What damaged traces cost a pipeline: its cells against its own cell on clean traces
hold.py      From the results dataset of a Hub to the files of a folder
page.py      The page of the results and the block of a README, rendered from the files
read.py      The files of a folder as results of the benchmark, as if one Hub held them
record.py    One file: what was measured of a model, turn by turn, and under which conditions
same.py      Whether measurements may stand in one table
story.py     Whether the measured differences agree with the published ones, in plain sentences
"""
