"""The benchmark as a public, versioned release: planned and checked first, private until it is complete.

apply.py       Carry out a release plan, change by change; visibility comes last, all of it or none, also after a kill
changes.py     The changes that make a release, as values: each can be shown in a line and recorded. Pure
checks.py      What speaks against a release: each check returns its problems, one sentence each, and changes nothing
collection.py  The collection of a release: its order, its notes, and what has to be changed for it. Pure
current.py     What is on the Hub before a release: every repository at a pinned commit. Reads only
desired.py     The files that the repositories should have (cards, scores, the report), and the commits for that
manifest.py    What a release consists of: the repositories that a run of the benchmark has made, in reading order
plan.py        Plan a release: everything is read and checked, and each change is listed, before anything is changed
"""
