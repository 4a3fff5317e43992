"""`rules:judge`: the benchmark's rubric as code, deterministic and without a model."""
