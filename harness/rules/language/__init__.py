"""Dates, times, values and entities in text.

calendar.py  Dates in text, relative ones too. A date is a set of days (proleptic ordinals) that it may mean
clock.py     Clock times in text: 12 and 24 hours, in figures or words. A time is a set of minutes of the day that
             it may mean
entities.py  Whether two argument values mean the same thing: the same day, time, number, flag, level, place, name
             or kind
lexicon.py   What the rules know about words: kinds of food, names of places, ways of saying things. Data, read once
mentions.py  Values that a text states: times, dates, numbers of people, phone numbers, amounts of money, addresses
"""
