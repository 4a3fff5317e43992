"""From an export of production traces to a job folder: tools, task, a held-out test set, and what is missing.

check.py   What is missing or odd in a job folder, each with what to do
review.py  What people decided about the held-out test conversations: test.todo.md
"""
