"""Copying repositories and collections from one Hub to another: what is missing, whole, and nothing twice.

collection.py  Copying a collection: its title, its description, and those of its items that the target has
difference.py  What makes a commit on one Hub equal a commit on another: by hashes, and by content where those are of
               two sorts
plan.py        What a promotion of a repository would do: read from both Hubs, every commit pinned, nothing changed
promote.py     Promotion from end to end: everything is planned and checked before the first change
record.py      `.promotion.json` on the target's main: where the files come from, and which commit is which
relink.py      Names of promoted repositories in card metadata and evaluation results, brought over to their new
               owner
transfer.py    Carrying a plan out: revisions, then their tags, then main, then visibility; what is done stays done
"""
