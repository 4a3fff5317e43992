"""Answers to scores to a report."""
