"""Where an artifact, a training row or a score comes from: lineage followed over a Hub, and checked on the way.

chain.py            The chain behind an artifact: its lineage at a commit, then that of each of its inputs, to the
                    end
chain_view.py       A chain as a tree in a terminal: each artifact with its stage, models and settings, and its
                    inputs
check.py            Whether a chain is whole: every input there, every record true, every tag where it belongs
copies.py           Repositories that were promoted from another Hub: lineages name them as they were called there
query.py            What was asked about: an artifact, a training row or a score; and all that there is to say of it
row_history.py      One training row followed back: from a synthetic conversation to the traces and the dialogues
                    behind them
row_view.py         The history of one row in a terminal, from the source to the row
rows.py             The rows of a dataset at its commit, by their ids
score_history.py    One score followed back: the answer and how it was scored, the question, and the run that it
                    belongs to
score_view.py       The history of one score in a terminal: the question, the answer, every metric and vote, and the
                    run
settings.py         What decided about a stage's result, in words: models with revisions and prompts, then other
                    settings
source_dialogue.py  The source dialogue that a trace was made from, where the source files are at hand
to_json.py          A chain and the history of a row as plain JSON values, every hash whole. No effects
turn_history.py     What became of the turns of a relabelled row: the source's call, the trace's, the votes, the
                    result
"""
