"""The benchmark as a public, versioned release: planned and checked first, private until it is complete.

apply.py       Carrying a plan out, change by change; visibility comes last, whole or taken back
changes.py     The changes that make a release, as values: each can be shown in a line, and carried out. No effects
checks.py      What speaks against a release: each check returns its problems, a sentence each, and changes nothing
collection.py  The collection of a release: its order, its notes, and what has to be changed for it. No effects
contents.py    What a release consists of: the repositories that a run of the benchmark has made, in the order of
               reading
current.py     What is on the Hub before a release: every repository at a pinned commit. Reads only
desired.py     The files that the repositories of a release should have: cards, scores, the report, the page of the
               leaderboard
diff.py        Whether files on the Hub are the wanted ones, and the commit that makes them so. Reads only
showing.py     The note of a release that is being shown: by it a later run finishes or undoes what was killed in the
               middle
plan.py        A release planned: everything is read and checked, and each change is listed, before anything is
               changed
"""
