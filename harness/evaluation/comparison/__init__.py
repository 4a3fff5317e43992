"""Two results on the same pairs: what differs, how surely, and whether a gate lets it pass.

compare.py  Two results on the same pairs: what differs, how surely, and whether a gate lets it pass. No effects
gate.py     A gate on a comparison: whether B may take A's place, and what shows it. No effects
sides.py    The two results of a comparison: their rows with metric columns, and which of them answer the same pair
"""
