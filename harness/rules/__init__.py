"""Rule-based stand-ins for models, deterministic: judge, labelers, arbiter, rater and writer.

judge/     The rubric as code
labeler/   Rule-based labelers and arbiter
language/  Dates, times, values and entities in text
teacher/   Rule-based rater and writer
"""
