"""An embedded Hub: serves the Hugging Face Hub's HTTP API from a folder on this machine.

    root.py        the folder: layout, lock, secret key         db.py        SQLite: schema and connections
    users_file.py  --users FILE                                 accounts.py  users, organisations, tokens
    store.py       one git repository: read, resolve, commit    trees.py     edits of git trees
    blobs.py       large files, addressed by their sha256       repos.py     which repositories exist, who may see them
    xorbs.py       the Xet upload formats                       xet.py       Xet uploads into the large-file store
    commits.py     an NDJSON commit applied to a repository     signing.py   signed, expiring tokens for links
    facts.py       what a repository says of itself (card, tags, evaluation results)
    pulls.py       discussions and pull requests                shelves.py   collections
    call.py        one request, and the services behind it      api_*.py     the HTTP routes
    router.py      raw path to handler   app.py  ASGI   server.py  uvicorn   embedded.py  a server as a child process

Nothing here imports the rest of the harness: the folder can be lifted out as it is.
"""
