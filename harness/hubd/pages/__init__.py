"""HTML pages of repositories, rendered on the server, read-only, without scripts.

card.py          Pages: a repository's card with the results it reports, and the leaderboard of a dataset
files.py         Pages: the files of a revision, and one of them
history.py       Pages with diffs: commits, discussions and pull requests
lists.py         Pages: what is on this Hub, and a collection. Only the repositories that a page shows are opened
markdown.py      Markdown that strangers wrote as HTML that is safe to show: cards and comments
page.py          What all pages share: templates, names, sizes and dates as they are shown, refusals, the frame of a
                 repository
parquet_rows.py  A process that reads the first rows of one Parquet file and prints them as JSON, under limits it sets
                 itself
rows.py          The first rows of a JSONL or Parquet file, within limits on bytes, cells, time and memory
sign_in.py       Pages: sign in, sign out; and the style sheet
viewer.py        Page: the first rows of a dataset, by configuration and split
"""
