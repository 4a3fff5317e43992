"""The rubric as code.

arguments.py   Judges the arguments of a service call: the same entities, nothing missing that was said, nothing
               made up
bookings.py    Judges what a message says of a booking (made, refused, still to be made) and of a search (found, how
               many)
facts.py       Judges what a message says of a thing the tools returned: its yes/no fields, its price level, its
               listed values
owners.py      Judges whose phone number or address a message gives: that of the thing it speaks of, not of another
               one
places.py      Judges the places and names that a message brings in: each must be known to the conversation
quantities.py  Judges the times, dates, numbers of people, phone numbers, amounts and addresses that a message
               states
questions.py   Judges what a message asks: not again for what the user has just said, nor the user's own question
               back
rubric.py      `rules:judge`: one case in, a vote with its reason out. Pure and deterministic; no model, no network
scene.py       What is known when a prediction is made: who said which values, and what the tools returned
"""
