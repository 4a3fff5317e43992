"""Traces of production agents: read from any known layout, looked through, cleared of personal data."""
