"""The rule-based teacher: a user and agent simulator that learns a task from a few accepted conversations.

agenda.py            What a conversation is made of, before a word is said: segments whose costs add up to the wanted
                     length
database.py          The database behind a synthetic conversation: rows that match a query, the same ones when it is
                     repeated
delexicalisation.py  Delexicalisation: values in a text become slots; a text that still tells of one conversation is
                     refused
dialogue.py          Simulates one conversation: the agenda is acted out, the database answers, and every value is
                     accounted for
exchanges.py         Service calls with what they returned, and how results are laid out
lexicon.py           Made-up names and composed phrases, from the parts in `eval/teacher/names.yaml` and
                     `phrases.yaml`
rating.py            `rules:teacher` as the filter's rater: relevance and coherence of a trace by rules, for any task
rating_relevance.py  Relevance: whether a trace is about the task, by its users' words and by what its tools return
realisation.py       Surface realisation of both sides' acts: the traces' own wordings where they fit, else composed
                     phrases
slots.py             The kind of value of each argument and result column of a task: from the schema, its name, and
                     values seen
task_model.py        The task model learned from accepted conversations: how tools are used, what they return, in
                     which layout
templates.py         Templates taken from accepted conversations: what was said, by act, delexicalised
user_goal.py         The user's goal in a synthetic conversation: the arguments of each call, and where each comes
                     from
values.py            New values for the slots of a task, in the format in which values were seen
verbalisation.py     Verbalisation: values as people say them, and where a text mentions one
writer.py            `rules:teacher` as the generator: one synthetic conversation per plan, without a model
"""
