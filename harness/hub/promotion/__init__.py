"""Copying repositories and collections from one Hub to another: what is missing, whole, and nothing twice."""
