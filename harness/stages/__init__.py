"""One module per stage: `run(request, hub)`, a function from pinned inputs to one artifact on the Hub.

collect.py              Stage `collect`: the published test set as a dataset repository
corrupt.py              Stage `corrupt`: the traces of the scenarios
evaluate.py             Stage `evaluate`: a model at one commit, asked for every pair of a test set at one commit
filter.py               Stage `filter`: deterministic checks, then a teacher's ratings; every trace stays in the
                        result with its decision
job_test_set.py         Stage `job-test-set`: the test conversations of a job folder as a test-set repository
job_traces.py           Stage `job-traces`: the traces of a job folder, in whatever layout they are, as a dataset
relabel.py              Stage `relabel`: a committee rewrites the assistant's turns, code decides, an arbiter where
                        the committee differs
student.py              Stage `student`: a small model made on the spot, with random weights or a start on dialogues
synthesize.py           Stage `synthesize`: new conversations modelled on accepted ones, until enough of them pass
                        every check
train.py                Stage `train`: a student at one commit and a dataset at one commit become a model repository

__main__.py             A stage in a process of its own: `python -m harness.stages REQUEST.json` prints the result as
                        JSON
_asking.py               How models are asked, as a request says it
_clean_traces.py        The dialogues that the benchmark's data is made from, read once per process
_day.py                 The day that a run takes for today: the one that was named, else that of the first run, else
                        today
_evaluate_request.py    What stage `evaluate` is asked for, in names and numbers
_exemplars.py           What synthetic conversations are modelled on, and the test set that they must not overlap with
_inputs.py              What filter, relabel and synthesize share: a request in names and numbers, and what it means
                        here
_publish_evaluation.py  What becomes of an evaluation: transcripts on this machine, results and scores on the Hub
_result.py              Where the result of a stage goes: found on the Hub, or written whole with its lineage, pushed
                        once
_test_set.py            The layout of a test-set repository, which `tft evaluate` reads: written here and nowhere else
_training_inputs.py     What stage `train` is asked for, and what it starts from: student and data pulled, every example
                        rendered
material/               No stages: what they are tried on and start from, sample task, dialogues and job folders
"""
