"""JSON lines, Arrow rows, chat-template messages and published layouts, to and from records.

    dataclass_json.py  Frozen records from JSON, unknown keys refused
    jsonl.py           JSON lines files: one JSON object a line, UTF-8, `\n` line ends
    messages.py        OpenAI-style messages, chat-template messages and call strings, to and from records
    published.py       The layouts of the published benchmark files, in and out
    sgd.py             Schema-Guided Dialogue files to records
    stage_rows.py      Rows of the pipeline's datasets: what filter, relabel and synthesize write, as JSON objects
    task.py            job_description.json to a Task, and back
    yaml_lines.py      YAML files that people write: their values, and the line that each key stands on, for errors that
                       point at it

The only package that handles raw dictionaries. `arguments` is a JSON string on the wire and in
Arrow (Arrow would merge the keys of different calls) and an object in memory and in chat templates.
"""
