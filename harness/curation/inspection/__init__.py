"""Surveys of trace files, and detection of personal data.

advice.py     Likely problems of a file of traces, each with advice, and the command that comes next
anomalies.py  What is unusual of a trace, whether it is trouble, and what can be done about it
languages.py  The language of a few sentences, roughly: by script, and by the commonest words of languages in Latin
              letters
redaction.py  Personal data in traces: what looks like e-mail addresses, phone, card and bank account numbers, found
              and masked
survey.py     What is in a file of traces: counts, tools used against tools known, lengths, languages, and what
              looks wrong
"""
