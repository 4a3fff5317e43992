"""The labeler: what assistant turns should have been, by rules that know no service.

arbiter.py              `rules:arbiter`: which of the committee's candidates the conversation speaks for, None where
                        it does not say
arguments.py            The arguments of a service call: the trace's own where they fit, else what the dialogue and
                        the results say
evidence.py             What speaks for the arguments of a service call: the rows returned, and what was said and
                        returned around it
foreign.py              Assistant replies that do not belong where they stand: text of another domain, or of another
                        moment
foreign_model.py        How well replies fit their places, learned from a batch itself, and what that says about
                        their origin
foreign_text.py         Replies and the places they stand in as bags of words, with a conversation's own values
                        replaced by their kinds
naming.py               Which tool a turn calls: by what follows it, what came back, and what was said around it
neighbour.py            `rules:labeler-neighbour`: each turn is labelled as the most similar turns of the batch are
neighbour_arguments.py  Arguments of a service call from its result and from what users say, as the batch's
                        consistent calls have them
options.py              When a call has an optional parameter: learned from trusted calls, by what was said and
                        returned
replies.py              Replies that fit their place: those of the most similar places, filled with what this
                        conversation knows
reply_index.py          Which places of a batch are like a given one
reply_lexicon.py        Phrases of our own, read once
reply_phrases.py        Replies in the harness's own words: the act by what comes before and after, its slots from
                        what is known
reply_values.py         What a conversation has told by one of its messages, and the ways in which values are
                        written
scenes.py               Conversations as the labeler reads them: what was said before a turn, what it returned, what
                        comes after
schema.py               `rules:labeler-schema`: calls of older or foreign schemas, conversation by conversation, as
                        calls of the task
schema_arguments.py     Which parameter of a tool each argument of an old call is: an assignment by names, values
                        and results
schema_match.py         Which tool of the task an old tool is: an assignment by names, arguments, results and who is
                        spoken to
schema_profile.py       What the task and the traces tell of a parameter's values: members, vocabulary, dates,
                        times, flags, numbers
schema_usage.py         How tools are used in traces: the arguments of each call, the result after it, and what in
                        it repeats an argument
schema_values.py        Values of an old schema as values of the task: spelling, numbers, flags, levels of another
                        vocabulary, types
schema_words.py         Words in the names of tools and arguments: split, written out, and how alike two names are
state.py                `rules:labeler-state`: what each turn should have been, from the whole dialogue and the
                        whole batch
weights.py              How much each source of a value counts: a conditional logit over candidates, fitted to calls
                        that are trusted
wording.py              How a batch words the values of parameters: which values a text states, written as the batch
                        writes them
"""
