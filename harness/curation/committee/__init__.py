"""The committee: several models rewrite the same conversation, and code decides turn by turn what holds.

decide.py       Turn by turn: what the committee agrees on, by name, then keys, then values; disputes for the
                arbiter. No effects
relabel.py      Traces through the committee: votes, arbiter, decisions
reliability.py  How reliable each voter is, from the votes alone: Dawid and Skene's model by expectation
                maximisation. No effects
summary.py      What a committee did: how it decided, how far it agrees, how reliable each member is, what it
                changed. No effects
"""
