"""One module per subcommand of `tft`; each defines `command` and imports nothing heavier than click at its top.

__main__.py        The command `tft`: subcommands are found by listing this folder, nothing heavy is imported before
_model_options.py  Options about models: which one plays which role or judges, and how they are asked
_options.py        Options that several commands share
_pipeline.py       What `tft filter`, `relabel` and `synthesize` share: options, running the stage, and what is shown of
                   its result
actions.py         `tft actions`: for GitHub workflows: parse an evaluation request, check who made it, comment the
                   answer
agreement.py       `tft agreement`: how far a judge's verdicts agree with labels, and the score that the labels
                   correct
benchmark.py       `tft benchmark`: all cells of the benchmark, or both pipelines on traces of your own
card.py            `tft card`: render the cards of models, compare them with those on the Hub, push them
compare.py         `tft compare`: two results on the same pairs, a gate on their difference, and a comment for a
                   pull request
data.py            `tft data`: build the benchmark's files, check them, and publish them as datasets
demo.py            `tft demo`: the benchmark once, small: traces, damage, both pipelines, results, cards, page, on a
                   Hub of its own
evaluate.py        `tft evaluate`: score any model on a test set, through vLLM or an endpoint
export.py          `tft export`: conversations as files for other trainers and for the Hub's trace viewer
filter.py          `tft filter`: deterministic checks and a teacher's ratings say which traces go on
hub.py             `tft hub`: a Hub on this machine
inspect_traces.py  `tft inspect-traces`: what is in a file of traces, what looks wrong with it, and what to do next
judge.py           `tft judge`: an LLM, a panel of them, or rules say of each prediction whether it is good
lineage.py         `tft lineage`: where an artifact, a training row or a score comes from
publish.py         `tft publish`: what the benchmark has pushed becomes a public, versioned release
relabel.py         `tft relabel`: a committee rewrites the assistant's turns, an arbiter decides where it does not
                   agree
repair_report.py   `tft repair-report`: how well traces were repaired, measured against the clean ones
report.py          `tft report`: the benchmark's results as tables, plots and a page
run.py             `tft run`: one cell of the benchmark, from its traces to a scored model
score.py           `tft score`: metric columns for rows in the published layout
serve.py           `tft serve`: an OpenAI-compatible endpoint for a model, with the prompts and the readings of its
                   evaluation
skill/             `tft skill`: instructions for coding agents, from an export of traces to a verdict
sources.py         `tft sources`: download and verify the files that the benchmark is built from
student.py         `tft student`: small models from scratch
synthesize.py      `tft synthesize`: new conversations, modelled on accepted ones and checked before they are
                   accepted
task.py            `tft task`: make job folders of other tasks
train.py           `tft train`: fine-tune a student on conversations, and push the merged weights
"""
