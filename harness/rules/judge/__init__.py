"""The rubric as code."""
