"""The Hub's HTTP API, one file per group of routes.

accounts.py     Routes: who am I, and the validation of cards
collections.py  Routes: collections
commit.py       Routes that change a repository: preupload, commit, branches, tags, squash
discussions.py  Routes: discussions and pull requests
files.py        Routes for content: files and byte ranges of them, and the LFS protocol
repo_json.py    A repository as JSON: what model_info, dataset_info, space_info and the lists return
repos.py        Routes: create, delete, move, settings, info, lists, access checks
request.py      One request as the routes see it, and the services behind it
rights.py       Who may do what: every route says what its caller needs, and it is asked before the body
safe_yaml.py    YAML and JSON that strangers wrote, as plain values: no tags, aliases, dates, base-60 numbers, and
                bounded
summaries.py    What a repository says of itself (metadata, tags, evaluation results), and how lists read it: a damaged
                one stops none
tree.py         Routes that read a repository: tree, paths-info, refs, commits
xet.py          Routes of the Xet protocol: tokens, xorbs, shards
"""
