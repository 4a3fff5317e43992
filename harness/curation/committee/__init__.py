"""The committee: several models relabel the same conversation, and code decides turn by turn.

decide.py   Turn by turn: what the committee agrees on, by name, then keys, then values; disputes for the arbiter.
            Pure
relabel.py  Traces through the committee: votes, arbiter, decisions
summary.py  What a committee did: how it decided, how far it agrees, how reliable each member is (Dawid and Skene),
            what it changed. Pure
"""
