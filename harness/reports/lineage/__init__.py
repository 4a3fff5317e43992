"""Lineage of an artifact, a training row or a score, followed across a Hub and checked on the way.

chain.py          The chain behind an artifact: its lineage at a commit, then that of each of its inputs, to the end
chain_view.py     A chain as a tree in a terminal: each artifact with its stage, models, settings and inputs
check.py          Whether a chain is whole: every input there, every record true, every tag where it belongs
query.py          Answer `tft lineage`: the chain behind an artifact, the history of a row or a score, both as JSON
row_history.py    One training row followed back: from a synthetic conversation to the traces and dialogues behind it
row_view.py       The history of one row in a terminal, from the source to the row: one block per thing it was made from
rows.py           The rows of a dataset at its commit by id, and the source dialogues that traces were made from
score_history.py  One score followed back and shown: the question, the answer, every metric and vote, and the run
"""
