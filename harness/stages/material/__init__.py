"""What stages are tried on and start from: files made from the source files or out of nothing, without a lineage.

sample_testset.py  The sample task as a test-set repository, in the layout of the published test set
sgd_dialogues.py   Dialogues of SGD's services as conversations: what a small student can be given a start on
sgd_task.py        Any service of SGD as a task: a job folder with tools, traces and a test set, and its damaged
                   scenarios
"""
