"""Dates, times, values and entities in text."""
