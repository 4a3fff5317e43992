"""Rule-based stand-ins for models, deterministic: judge, labelers, arbiter, rater and writer."""
