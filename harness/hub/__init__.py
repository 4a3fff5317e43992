"""The client of a Hub: repositories, lineage, jobs, promotion between Hubs.

address.py        Addresses of Hubs and endpoints: checks, what may be shown of them, proxies, and a quiet client
artifact.py       A repository on the Hub by its name or at one commit, and a file by its hash
client.py         The client of a Hub: names become commits, files of a commit are read, changes are made; a request or
                  two each
client_errors.py  Exceptions of the Hub's client translated into sentences with a next step
collections.py    Collections on a Hub: their items, and changes to them
connect.py        Connect to a Hub, or to two; the embedded one is started here
foreign_json.py   JSON from others, read under limits: size, number of parts, depth
http_client.py    The HTTP client of the Hub's library: no proxies on this machine; lists stay on their Hub, and end
jobs.py           A command of `tft` as a Hugging Face Job: what would run, shown without secrets, and its submission
lineage.py        Lineage of an artifact: what it was made from and how, its fingerprint for reuse, the data behind it
local_http.py     The embedded Hub's HTTP server for other servers of the harness: the same bounds, and the same rules
publishing.py     Push a folder as a repository in one commit, find earlier pushes, propose changes, check the right to
                  write
push_checks.py    What may leave this machine: commits that hold a secret, or records that name a local folder, are
                  refused
repository.py     A snapshot of a repository: its refs, and the files of a revision by their hashes
transfers.py      Progress of uploads to and downloads from a Hub
promotion/        Copying between two Hubs
"""
