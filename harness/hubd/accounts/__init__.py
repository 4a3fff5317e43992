"""Users, tokens, sessions, signatures.

accounts.py    Users, organisations and access tokens; tokens are stored as hashes only
sessions.py    Signed-in browsers: a cookie that stands for a token, but only reads, and only pages and files
signing.py     Signed, expiring claims: what a link or a Xet token allows
users_file.py  The file behind `--users`: who exists, in which organisations, with which tokens
"""
