"""Chat endpoints: limits, budget, cache."""
