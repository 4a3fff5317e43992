"""Clustered estimates, paired tests, agreement.

agreement.py  How far judges agree with each other and with labels, and scores corrected by labels. No effects
estimates.py  Means with intervals that know that turns of one conversation are not independent
records.py    Estimate, Agreement, Calibration
"""
