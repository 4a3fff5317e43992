"""From an export of production traces to a job folder: tools, task, a held-out test set, and what is missing.

check.py             What is missing or odd in a job folder, each with what to do
corrections.py       The test conversations as a person goes through them: decided about, corrected, and taken back
gather.py            One pass over an export: its conversations go to a file aside, and what choosing among them takes
                     is kept
hold_out.py          Which conversations are traces, which the test set, and which neither: repeats, and what overlaps
                     with the test
logged_test.py       The test conversations as they were logged, where a person has looked at what became of them
make.py              A job folder from an export: read once, chosen from, written whole, with a record of what was made
                     from what
record.py            The record of a job folder that was made from an export, and what of it a person should read
review.py            What people decided about the held-out test conversations: test.todo.md
task_description.py  What the agent was told, from the system messages of traces: the most frequent kind, and what
                     differs within it
tool_definitions.py  The tools of a task from its traces: as they were defined there, else inferred from the calls, and
                     which is which
value_shapes.py      JSON schemas inferred from values that were seen: types, members, which are always there, few
                     values seen often
page/                The page on which a person approves them
"""
