"""The Hub's HTTP API, one file a group of routes.

accounts.py     Routes: who am I, and the validation of cards
card_facts.py   What a repository says of itself: metadata, tags, evaluation results
collections.py  Routes: collections
commit.py       Routes that change a repository: preupload, commit, branches, tags, squash
discussions.py  Routes: discussions and pull requests
files.py        Routes for content: resolve, and the LFS protocol
licences.py     The licence identifiers that a card may give, as the Hub's documentation lists them
plain.py        YAML and JSON that strangers wrote, as plain values: no tags, aliases, dates, base-60 numbers, and
                bounded
ranges.py       Answers with content, whole or a byte range of it
repo_json.py    A repository as JSON: what model_info, dataset_info, space_info and the lists return
repos.py        Routes: create, delete, move, settings, info, lists, access checks
request.py      One request as the routes see it, and the services behind it
rights.py       Who may do what: every route says what its caller needs, and it is asked before the body
route.py        A route: which requests it takes, what its caller needs to be allowed, and who answers
summaries.py    What is remembered of the commits that lists show, and how lists read repositories: a damaged one
                stops none
tree.py         Routes that read a repository: tree, paths-info, refs, commits
xet.py          Routes of the Xet protocol: tokens, xorbs, shards
"""
