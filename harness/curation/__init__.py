"""Traces to training data."""
