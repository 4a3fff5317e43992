"""One module a stage: a function from pinned inputs to one artifact on the Hub.

_push.py           What data stages do at their end: render the card, push once, or reuse
_run.py            What the stages of the pipeline share: where a result goes, whole or not at all, and what it was
                   made from
collect.py         Stage `collect`: the test set as a dataset repository
corrupt.py         Stage `corrupt`: the traces of the scenarios
evaluate.py        Stage `evaluate`: a model at one commit, asked for every pair of a test set at one commit
filter.py          Stage `filter`: deterministic checks, then a teacher's ratings; every trace stays in the result
                   with its decision
job_folder.py      Traces of one's own on the Hub: a job folder as a dataset of traces and a test set
relabel.py         Stage `relabel`: a committee rewrites the assistant's turns, code decides, an arbiter where the
                   committee differs
sample_testset.py  The sample task as a test-set repository, in the layout of the published test set
sgd_dialogues.py   Dialogues of SGD's services as conversations: what a small student can be given a start on
sgd_task.py        Any service of SGD as a task: a job folder with tools, traces and a test set, and its damaged
                   scenarios
student.py         Stage `student`: a small model made on the spot, with random weights or a start on dialogues
synthesize.py      Stage `synthesize`: new conversations modelled on accepted ones, until enough of them pass every
                   check
train.py           Stage `train`: a student at one commit and a dataset at one commit become a model repository
"""
