"""Language models in the roles of the pipeline: their prompts, and how their answers are parsed.

answer_counts.py  What became of the questions that a role asked its model: usable answers, and why the others are
                  not
arbiter.py        The arbiter as a language model: which of the proposals for a turn is right, another call, or
                  undecided
labeler.py        A committee member as a language model: what the assistant should have done in each turn of a
                  conversation
prompted_role.py  What the prompted roles share: the prompt, calls in prompts and answers, and one outcome per item
rater.py          The filter's teacher as a language model: relevance and coherence of a trace, 1 to 5, each with
                  its reason
writer.py         The generator's teacher as a language model: a plan and then a conversation, both in one answer
"""
