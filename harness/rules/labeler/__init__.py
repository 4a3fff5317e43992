"""Rule-based labelers and arbiter, for any service.

arbiter.py              `rules:arbiter`: which of the committee's candidates the conversation supports, None where it
                        does not say
argument_sources.py     Sources of an argument's value (rows, user, agent, other results), and how much each counts
arguments.py            The arguments of a service call: the trace's own where they fit, else what the dialogue and
                        the results say
neighbour.py            `rules:labeler-neighbour`: each turn gets the label of the most similar turns of the batch
neighbour_arguments.py  Arguments of a service call from its result and from what users say, as in the batch's
                        consistent calls
replies.py              Replies retrieved from similar contexts, their slots filled with what this conversation knows
reply_context.py        Replies and their contexts as bags of words, and which contexts of a batch are similar
reply_phrases.py        Replies composed from our own phrases: the act by what comes before and after, slots from what
                        is known
reply_state.py          The dialogue state where a reply stands, and the surface forms of its values
response_fit.py         Out-of-context responses: how well replies fit their contexts, learned from the batch itself
schema.py               `rules:labeler-schema`: maps calls of older or foreign schemas to the task's schema
schema_arguments.py     Matches the arguments of an old call with a tool's parameters: an assignment by names, values
                        and results
schema_match.py         Which tool of the task an old tool is: an assignment by names, arguments, results and who is
                        spoken to
schema_profile.py       Profiles of a parameter's values, from task and traces: members, vocabulary, dates, times,
                        flags, numbers
schema_usage.py         How tools are used in traces: each call's arguments, its result, and which keys of it repeat
                        an argument
schema_values.py        Maps values of an old schema to the task's: spelling, numbers, flags, levels of another scale,
                        types
schema_words.py         Words in the names of tools and arguments: split, abbreviations expanded, and how similar two
                        names are
state.py                `rules:labeler-state`: what each turn should have been, from the whole dialogue and the whole
                        batch
surface_forms.py        Surface forms of a parameter's values: which values a text states, written as the batch writes
                        them
tool_classification.py  Classifies which tool a turn calls: by what follows it, what came back, and what was said
                        around it
turns.py                Conversations as the labelers read them: what was said before a turn, what it returned, what
                        comes after
"""
