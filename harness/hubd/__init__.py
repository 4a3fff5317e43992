"""An embedded Hub: serves the Hugging Face Hub's HTTP API from a folder on this machine.

    root.py        the folder: layout, lock, secret key         db.py          SQLite: schema and connections
    users_file.py  --users FILE                                 accounts.py    users, organisations, tokens
    store.py       one git repository: read, resolve, refs      trees.py       paths, and edits of git trees
    blobs.py       large files, addressed by their sha256       attributes.py  which files are large, which are ignored
    repos.py       which repositories exist, who may see them   commits.py     an NDJSON commit applied to a repository
    xorbs.py       the formats of a Xet upload                  xet.py         Xet uploads into the large-file store
    xet_reads.py   large files as Xet downloads                 signing.py     signed, expiring tokens and links
    facts.py       card, tags, evaluation results of a commit   info.py        a repository as JSON
    pulls.py       discussions and pull requests                shelves.py     collections
    call.py        one request, and the services behind it      ranges.py      content, whole or a range of it
    api_*.py       the HTTP routes                              router.py      raw path to handler
    sessions.py    browsers that are signed in                  pages/         pages for people
    objects.py     all git objects, checked and followed        patches.py     a pull request's changes as a diff
    verify.py      checks that nothing is lost or damaged       gc.py          frees what nothing leads to
    app.py         ASGI                                         server.py      uvicorn
    embedded.py    a server as a child process                  errors.py      refusals, and why a start failed
    heads.py       the HTTP parser, with a limit on heads

Nothing here imports the rest of the harness: the folder can be lifted out as it is.
"""
