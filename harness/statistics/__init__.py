"""Clustered estimates, paired tests, agreement."""
