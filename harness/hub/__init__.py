"""The one client of a Hub, lineage, jobs.

address.py        Addresses, of Hubs and of all else, what of them may be shown, and a quiet client
artifact.py       A repository on the Hub by its name or at one commit, and a file by its hash
chain.py          What an artifact was made from, and the data behind it, followed from one lineage to the next
client.py         The client of a Hub: names become commits, files of a commit are read, and changes are made, a request
                  or two each
client_errors.py  What a Hub's refusals mean, as sentences with a next step
collections.py    Collections on a Hub: their items, and what is changed of them
connect.py        Which Hub is meant, or which two, and all that is asked of the embedded one: nothing else names
                  `harness.hubd`
foreign_json.py   JSON that others wrote, read under limits: how large a value may be, of how many parts, and how deep
jobs.py           A command of `tft` as a Hugging Face Job: what would run, shown without secrets, and its
                  submission
lineage.py        What an artifact was made from and how, and the fingerprint by which it is reused
outgoing.py       What may leave this machine: a commit that holds a secret, or a record that names a folder of it,
                  is refused
places.py         Folders of this machine: found in texts that leave it, and taken out of what is recorded
proxies.py        Proxies of the environment: never for addresses of this machine, and a sentence where one cannot be
                  used
publishing.py     A folder as a repository in one commit, what was pushed before, proposals to others, and the right to
                  write
repository.py     A repository as it was at one moment: its refs, and the files of a revision by their hashes
transfers.py      Large files on their way to and from a Hub, told in the way that all long work is
promotion/        Copying between two Hubs
"""
