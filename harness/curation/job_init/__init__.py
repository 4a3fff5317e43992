"""From an export of production traces to a job folder: tools, task, a held-out test set, and what is missing.

check.py        What is missing or odd in a job folder, each with what to do
logged_test.py  The test conversations as they were logged, where a person has looked at what became of them
review.py       What people decided about the held-out test conversations: test.todo.md
"""
