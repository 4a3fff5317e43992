"""`rules:judge`: the judge's rubric as code.

arguments.py       Judges the arguments of a service call: the same values, nothing missing that was said, nothing
                   made up
bookings.py        Judges what a message says of a booking (made, refused, still to be made) and of a search (found,
                   how many)
dialogue_state.py  The dialogue state when a prediction is made: who said which values, and what the tools returned
facts.py           Judges what a message says of a row that a tool returned: flags, price level, listed values,
                   contact details
grounding.py       Judges the values, places and names that a message states: each must be known to the conversation
questions.py       Judges what a message asks: not again for what the user has just said, nor the user's own question
                   back
rubric.py          `rules:judge`: one case in, a vote with its reason out. Pure and deterministic; no model, no
                   network
"""
