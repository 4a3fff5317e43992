"""One module per stage: `run(request, hub)`, a function from pinned inputs to one artifact on the Hub.

collect.py              Stage `collect`: the published test set as a dataset repository
corrupt.py              Stage `corrupt`: the traces of the scenarios
evaluate.py             Stage `evaluate`: a model at one commit answers every pair of a test set at one commit
filter.py               Stage `filter`: deterministic checks, then a teacher's ratings; every trace stays in the
                        result with its decision
job_test_set.py         Stage `job-test-set`: the test conversations of a job folder as a test-set repository
job_traces.py           Stage `job-traces`: the traces of a job folder, in any known layout, as a dataset
relabel.py              Stage `relabel`: a committee rewrites the assistant's turns, code decides, an arbiter where
                        the committee differs
student.py              Stage `student`: a small model from scratch, with random weights or pretrained on dialogues
student_fetch.py        Stage `import` on a published student: its file from the package index or the cache, imported
student_import.py       Stage `import`: a model that is a file or a folder here, as a repository that can be trained and
                        served
synthesize.py           Stage `synthesize`: new conversations modelled on accepted ones, until enough of them pass
                        every check
train.py                Stage `train`: a student at one commit and a dataset at one commit become a model repository
inspect_task/           The benchmark as a task of Inspect, and our models behind its interface

__main__.py             A stage in a process of its own: `python -m harness.stages REQUEST.json` prints the result as
                        JSON
_evaluation_results.py  Where evaluations go: a destination for each before anything is asked, transcripts, results on
                        the Hub
_model_answers.py       From a model to an answer for each pair and sample in the log of its run, and their readings
_prompt_date.py         The day that prompts call today: the one that was named, else that of the first run, else today
_inputs.py              What filter, relabel and synthesize start from: what their requests name, opened on this machine
_requests.py            What the stages are asked for, in names and numbers that JSON can hold
_result.py              Where the result of a stage goes: found on the Hub, or written whole with its lineage, pushed
                        once
_training_inputs.py     What stage `train` is asked for, and what it starts from: student and data pulled, every example
                        rendered
"""
