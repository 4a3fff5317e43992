"""The rule-based teacher: a simulator of users and agents that learns a task from a few accepted conversations.

agenda.py            What a conversation is made of, before a word is said: segments whose costs add up to the
                     wanted length
blanks.py            Values taken out of a text: what is left is a wording with fields, or still tells of one
                     conversation
dialogue.py          One synthetic conversation: the agenda is acted out, with the database answering and every
                     value accounted for
exchanges.py         The service calls of a conversation with what they returned, and how results are laid out
experience.py        What accepted conversations teach of a task: how its tools are used, what they return, and in
                     which layout
names.py             Made-up entities: names, people, places, addresses and phone numbers, composed from
                     `eval/teacher/names.yaml`
phrases.py           Wordings of our own from `eval/teacher/phrases.yaml`, composed from parts
rating.py            `rules:teacher` as the filter's rater: relevance and coherence of a trace by rules, for any
                     task
rating_coherence.py  Coherence: do the messages follow one another as in a conversation, and the agent's turns fit
                     what comes after
rating_relevance.py  Relevance: does a trace speak of what the task speaks of, in its users' words and in what its
                     tools return
slots.py             What kind of value each argument and result column of a task holds: from the schema, its name,
                     and values seen
speech.py            Values as people say them, and where a text mentions one
templates.py         Wordings taken from accepted conversations: what was said, by act, with the values taken out
values.py            New values for the slots of a task, in the format in which values were seen
voice.py             How both sides put things: the traces' own wordings where they fit, else composed phrases
wishes.py            What the user of a synthetic conversation wants: the arguments of each call, and where each
                     comes from
world.py             The database behind a synthetic conversation: rows that match what was asked, the same for
                     whoever asks again
writer.py            `rules:teacher` in the generator's role: a synthetic conversation for each plan, without a
                     model
"""
