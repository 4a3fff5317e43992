"""Users, tokens, sessions, signatures."""
