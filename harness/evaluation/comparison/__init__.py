"""Two results on the same pairs: what differs, how surely, and whether a gate lets it pass."""
