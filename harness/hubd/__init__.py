"""An embedded Hub: serves the Hugging Face Hub's HTTP API from a folder on this machine.

    __main__.py  `python -m harness.hubd`: the server without the rest of the harness
    bounds.py    Bounds on what strangers can make a Hub spend: processor time of an answer, memory of what is kept
    db.py        SQLite: the schema, and one connection per thread
    embedded.py  A Hub for the duration of a block: a child process that speaks real HTTP
    errors.py    The two kinds of errors: the server cannot start, and a request that is refused
    root.py      The folder of a Hub: layout, lock, secret key
    accounts/    Users, tokens, sign-ins, signatures
    api/         The Hub's HTTP API, one file per group of routes
    pages/       Pages for people
    server/      HTTP: connections, routes, bodies
    storage/     Git, large files, Xet, discussions, collections

What stands further down imports nothing that stands above it, and nothing here imports the rest of the harness: the
folder can be lifted out as it is.
"""
