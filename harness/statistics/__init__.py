"""Clustered estimates, paired tests, agreement.

agreement.py   How far judges agree with each other and with labels, and scores corrected by labels (pure)
estimates.py   Means, differences and leaderboards with intervals clustered by conversation
formatting.py  How figures are written, the same in tables, cards, comments and plots: numbers, intervals, p values,
               points, shares
gain.py        Whether trained models gain enough over what needs no training: PROCEED, STOP or ITERATE (pure)
intervals.py   Confidence intervals of scores from 0 to 1 and of their differences, also where a sample shows no error
records.py     Estimate, ErrorParts, PassRate, Agreement, Calibration
sampling.py    Several answers to each question: parts of the error, pass@k and pass^k (pure)
"""
