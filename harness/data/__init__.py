"""Conversations, tasks, and the files they come in."""
