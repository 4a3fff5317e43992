"""The Hub's HTTP API, one file a group of routes."""
