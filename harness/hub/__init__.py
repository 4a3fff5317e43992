"""The one client of a Hub, lineage, jobs.

address.py        Which Hub: its address, and a quiet client
artifact.py       A repository on the Hub at one commit
chain.py          The data behind an artifact, followed from one lineage to the next
client.py         Artifacts to and from a Hub; nothing else in the harness talks to one
client_errors.py  What a Hub's refusals mean, as sentences with a next step
collections.py    A collection on the Hub and its items
connect.py        Which Hub is meant, and all that is asked of the embedded one: nothing else names
                  `harness.hubd`
jobs.py           A command of `tft` as a Hugging Face Job: what would run, shown without secrets, and its
                  submission
lineage.py        What an artifact was made from and how, and the fingerprint by which it is reused
reads.py          What is asked of a Hub besides `client.py`: a file at a commit, tags, and files by their hashes
release.py        What a release changes on a Hub, a request or two each: Spaces, commits, tags, collections,
                  visibility
repository.py     A repository as it is now: refs, files, visibility
trees.py          The files of a revision by their hashes, and what lacks for one to equal another. No effects
promotion/        Copying between two Hubs
"""
