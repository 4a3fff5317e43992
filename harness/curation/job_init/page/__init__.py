"""The page on which a person approves test conversations, served to this machine only; its style and keys in `static/`.

app.py        What is answered under which address
guard.py      Which requests are answered at all: host, site, token, method, size
serve.py      Runs the page until Ctrl-C, with bounds on connections
turn_form.py  An assistant's turn as a form, read and checked
views.py      What a page shows of a conversation
"""
