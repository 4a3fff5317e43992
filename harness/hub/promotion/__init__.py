"""Copying repositories and collections between Hubs: only what is missing, all or nothing.

difference.py  What makes a commit on one Hub equal a commit on another, by hashes
plan.py        Plan the promotion of a repository: what differs by hash, names brought over, every commit pinned
promote.py     Promotion from end to end, collections included: all is planned and checked before the first change
record.py      `.promotion.json` on the target's main: where the files come from, and which commit is a copy of which
transfer.py    Carry out the plan of a repository: revisions, then their tags, then main, then visibility
"""
