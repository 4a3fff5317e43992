"""Git, large files, Xet, discussions, collections.

attributes.py    Which files are stored as large ones: .gitattributes, and what clients ask to ignore
blobs.py         Large files, addressed by their sha256: written once, durable before they are named
collections.py   Collections: titled lists of repositories with notes
commits.py       A commit: its body as clients send it, and its operations, applied to a repository in one step
diffs.py         What changed between two commits: files, and unified diffs of text, with limits on size and time
discussions.py   Discussions and pull requests: rows in the database, heads at `refs/pr/<n>`, and what outsiders may say
gc.py            Frees what nothing leads to any more: half uploads, large files, git objects, repositories that were
                 never finished
git.py           One bare git repository: resolve, read, move refs atomically
objects.py       Git objects: what is known of one, how new ones are written, and all of a repository, checked
reachability.py  What the refs of a repository lead to: commits, and the large files that their trees point at
references.py    Which large files a caller may name by their hash
repos.py         Which repositories exist, under which name, and who may read or write them
trees.py         Edits of git trees: which paths are allowed, and how changes make a new tree
usage.py         What each namespace stores, and how much it may
verify.py        Checks that a Hub's folder is whole: the database, every git object and ref, every large file by its
                 hash
xet_uploads.py   Xet uploads into the large-file store, and where the chunks of unpacked xorbs lie
xorbs.py         The formats of Xet: xorbs, shards, and large files as xorbs
"""
