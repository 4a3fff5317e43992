"""Dates, times, values and their equivalence in text.

dates_and_times.py  Dates and clock times in text, relative ones too, as the sets of days or minutes of the day that
                    they may mean
equivalence.py      Whether two argument values mean the same: the same day, time, number, flag, level, place, name or
                    kind
lexicon.py          The lexicon of the rules: kinds of food, names of places, ways of saying things. Data, read once
mentions.py         Values that a text states: times, dates, numbers of people, phone numbers, amounts of money,
                    addresses
"""
