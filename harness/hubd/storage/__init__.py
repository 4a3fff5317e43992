"""Git, large files, xet, pull requests, collections."""
