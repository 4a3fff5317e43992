"""Clustered estimates, paired tests, agreement.

agreement.py   How far judges agree with each other and with labels, and scores corrected by labels. No effects
bounded.py     Intervals of scores from 0 to 1 and of their differences, also where a sample shows little or no error
estimates.py   Means with intervals that know that turns of one conversation are not independent
formatting.py  How figures are written, the same in tables, cards, comments and plots: numbers, intervals, p values,
               points, shares
records.py     Estimate, Agreement, Calibration
"""
