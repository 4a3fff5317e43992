"""The rule-based teacher: a simulator of users and agents that learns a task from a few accepted conversations."""
