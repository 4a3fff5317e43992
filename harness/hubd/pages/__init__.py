"""Pages for people: what a repository holds, rendered on the server, read-only, without scripts."""
