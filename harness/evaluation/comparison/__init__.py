"""Paired comparison of two results: differences, their significance, and a gate (pure).

compare.py  The comparison: paired tests, tools, flips, warnings
gate.py     The gate: whether B may take A's place, and on what evidence
sides.py    The two results: their rows with metric columns, and which of them answer the same pair
"""
