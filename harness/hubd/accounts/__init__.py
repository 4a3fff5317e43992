"""Users, tokens, browser sessions, signatures.

accounts.py    Users, organisations, access tokens, and the cookie of a signed-in browser
signing.py     Signed, expiring claims: what a link or a Xet token allows
users_file.py  The file behind `--users`: who exists, in which organisations, with which tokens
"""
