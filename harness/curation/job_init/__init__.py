"""From an export of production traces to a job folder: tools, task, a held-out test set, and what is missing.

check.py  What is missing or odd in a job folder, each with what to do
"""
