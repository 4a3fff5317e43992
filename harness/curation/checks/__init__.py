"""Deterministic checks of traces: layout, calls, consistency, duplicates, contamination.

assistant_turns.py  Checks of the assistant's turns: as many calls as may be, tools that exist, valid arguments,
                    results where due
batch.py            Checks, duplicates and contamination over any number of traces: streamed, in several processes,
                    order kept
characters.py       Checks of single characters: what breaks readers of the file, and what a reader does not see
consistency.py      Whether results fit the calls that they answer, and replies what the conversation knows by then
conversation.py     All deterministic checks of one conversation, in order; what they find is sorted by nothing but
                    that order
decontamination.py  Whether the test set is in the training data: a gate that stops a run and names the pairs
duplicates.py       Exact and near duplicates among conversations, found as they come, by MinHash signatures of their
                    words
message_order.py    Checks of the order of messages: who speaks when, where it begins and ends, how long it is
"""
