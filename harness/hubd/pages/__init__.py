"""Pages for people: what a repository holds, rendered on the server, read-only, without scripts.

accounts.py      Pages: sign in, sign out; and the style sheet
addresses.py     From the address of a page to its handler. Segments are unquoted one by one, as in the router
boards.py        Pages: a collection, and the leaderboard of a dataset
card.py          Page: a repository's card, with its metadata as a table and the results it reports
discussions.py   Pages: discussions and pull requests, and one of them with its diff
errors.py        Refusals as pages, for browsers only: API clients get the JSON they know
files.py         Pages: the files of a revision, and one of them
history.py       Pages: the commits of a revision, and one of them with its diff
lists.py         Pages: what is on this Hub. Only the repositories that a page shows are opened
parquet_rows.py  A process that reads the first rows of one Parquet file and prints them as JSON, under limits it
                 sets itself
prose.py         Markdown that strangers wrote as HTML that is safe to show: cards and comments
repo_page.py     What all pages of a repository share: its name, its tabs, the revision that is looked at
rows.py          The first rows of a JSONL or Parquet file, within limits on bytes, cells, time and memory
view.py          Templates to answers: what every page shares, and how names, sizes and dates are shown
viewer.py        Page: the first rows of a dataset, by configuration and split
"""
