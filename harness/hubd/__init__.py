"""An embedded Hub: serves the Hugging Face Hub's HTTP API from a folder on this machine.

    __main__.py   the server alone                  embedded.py   a server as a child process
    server/       HTTP: app, router, bodies         pages/        pages for people
    api/          the HTTP routes                   storage/      git, large files, Xet, pull requests, collections
    accounts/     users, tokens, sessions           db.py         SQLite: schema and connections
    root.py       the folder: layout, lock, key     errors.py     refusals, and why a start failed

What stands further down imports nothing that stands above it, and each folder's files are in the README's tree.

Nothing here imports the rest of the harness: the folder can be lifted out as it is.
"""
