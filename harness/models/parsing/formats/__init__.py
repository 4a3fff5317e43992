"""One file a family, or a group of close ones; each defines `FAMILIES`, a tuple of `parsing.family.Family`."""
