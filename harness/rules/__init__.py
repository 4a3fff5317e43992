"""Deterministic, rule-based stand-ins for models: judge, labelers, arbiter, rater and writer.

judge/     The rubric as code
labeler/   Labelers and arbiter
language/  Dates, times, values and their equivalence in text
teacher/   Rater and writer

Judge, labelers and teacher share the language package and do not know each other.
"""
