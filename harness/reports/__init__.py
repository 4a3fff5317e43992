"""Reports for people: cards, tables, plots, comments.

card_block.py          The harness's block in a README, and all that others have written around it
card_use.py            How a card says that a model is used: task, prompts, and the engines that can ask it
comparison.py          A comparison in a terminal, as a pull request comment, and as JSON
dataset_card.py        Cards of the pipeline's datasets: front matter from records, text from templates that cannot be
                       broken out of
evaluation_plots.py    Plots for cards: scores beside the baselines, confusion of tools, scores by turn, training loss
evaluation_tables.py   The tables of an evaluation in a terminal
every_eval_ever.py     An evaluation as a record of Every Eval Ever, the shared format of evaluation results
every_eval_samples.py  The same evaluation turn by turn, as samples of that format
inspect_logs.py        Transcripts for `inspect view`: an evaluation as an Inspect log, and logs as a static site
leaderboard.py         Results side by side: who leads on a test set, and who is tied with the leader
markdown_templates.py  A Jinja environment in which what a template prints cannot become markup
model_card.py          Model cards: what a card shows, put together from records
plot_style.py          What all plots share: size, colours, style, and how they are saved
publish.py             Publishes an evaluation: rows and report, and scores and card of the model
repair_tables.py       The repair report: tables in a terminal, Markdown for a card, and a plot
reproduce.py           The commands that repeat an evaluation, from its report: `tft`'s, and Inspect's on the same task
trace_survey.py        A survey of traces in a terminal
lineage/               Where an artifact, a row or a score comes from
"""
