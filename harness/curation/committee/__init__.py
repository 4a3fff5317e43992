"""The committee: several models rewrite the same conversation, and code decides turn by turn what holds."""
