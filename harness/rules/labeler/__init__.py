"""The labeler: what assistant turns should have been, by rules that know no service."""
