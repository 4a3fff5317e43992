"""Conversations, tasks and scenarios, and the file formats they come in.

approval.py          How far people have approved a test set: the counts, which travel with it, and the sentence about
                     them
atomic_files.py      Files and folders that appear whole or not at all; what killed processes leave behind is restored
                     or deleted
canonical.py         Canonical forms of argument values, so that two spellings of one thing compare equal and two things
                     never do
cell_names.py        The names of the benchmark's repositories: what a name says, and which name a cell has. Pure
events.py            A conversation as events: user messages, replies, tool calls and tool results
locks.py             Folders and files that one process at a time may write to, and how it shows that it does
logged.py            What the agent said in the logged test conversations, which a person may have corrected since
pipeline_records.py  Records of the TFT pipeline: findings, ratings, rewrites, votes and decisions. Frozen
prefixes.py          Finds which sequences share a prefix, in time linear in their length
published_facts.py   The benchmark's published facts and figures as records
records.py           Conversations, calls, tasks, turn pairs, predictions, votes. Frozen; `formats/` reads and writes
                     them
sample.py            Conversations with a small restaurant service, simulated from `datasets/sample/`
sgd_task.py          Any service of SGD as a task: a job folder with tools, traces and a test set, and its damaged
                     scenarios
sources.py           The source files: which they are, where they lie, and how they are fetched and verified
tasks.py             Where a task comes from (a file, a test set on the Hub, a job folder), and the layout of a test-set
                     repository
text.py              Text made comparable: plain lower case with number words as digits, sentences, names and their
                     typos
tools.py             The tools of a task as the pipeline sees them: which one speaks to the user, what the others take,
                     what is valid
training_files.py    Files that other trainers and viewers read: written whole or not at all, and what is lost is
                     counted
formats/             Layouts in files, to and from records
scenarios/           The benchmark's scenarios, one file each
traces/              Traces of production agents, any layout
"""
