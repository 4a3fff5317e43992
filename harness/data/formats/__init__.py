"""JSON lines, Arrow rows, chat-template messages and published layouts, to and from records.

    calls.py               Tool calls to records: from objects in their many spellings, and from the text of a reference
    content_parts.py       The parts of a logged message's content: texts, calls and results in the spellings of agents'
                           frameworks
    exchanges.py           What a model, or an agent, was asked and what it answered, in whatever its API wraps both
    framework_messages.py  Messages out of what frameworks wrap them in: LangChain, pydantic-ai, Google's ADK, AutoGen
    inspect_samples.py     Samples of Inspect logs: their messages, with the long texts that stand aside put in
    json_texts.py          Texts of files, JSON in them and inside other texts, and JSON values in words for error
                           messages
    jsonl.py               JSON lines files: one JSON object per line, UTF-8, `\n` line ends
    logged_messages.py     Messages as agents' frameworks log them, to records
    message_reader.py      Messages to records: strictly as test sets and our own datasets have them, or as agents'
                           frameworks log them
    messages.py            Records to OpenAI-style messages, chat-template messages, call strings and rows;
                           conversations to pairs
    openai_tools.py        Definitions of tools as APIs and frameworks write them, to OpenAI's form
    published.py           The published benchmark files: their rows, out, and test sets, in
    reading_notes.py       What the reading of a logged conversation leaves out, reorders or takes for granted: to be
                           counted and shown
    row_columns.py         What a row says of its conversation beside the messages: tools, system text, model, time,
                           whose it was, failures
    row_exchanges.py       Rows that hold a request to a model and its answer, or messages with the answer to them
                           beside
    row_layouts.py         The layouts in which conversations come as rows, told apart by their keys, and what each says
                           of a conversation
    sgd.py                 Schema-Guided Dialogue files to records, and as a file of conversations
    stage_rows.py          Rows of the datasets that stages push: conversations, turn pairs, and what filter, relabel
                           and synthesize add
    strict_records.py      Frozen records that refuse unknown keys: the base of pydantic models, and dataclasses from
                           JSON values
    task.py                job_description.json to a Task, and back
    text_calls.py          Calls that stand in the text of a logged message, in the notations of training data: Hermes,
                           ToolACE, Glaive
    training_rows.py       Conversations to rows of training files: TRL's, OpenAI's, ShareGPT's as LLaMA-Factory reads
                           it, and Hub sessions
    yaml_lines.py          YAML files that people write: their values, and the line that each key stands on, for errors
                           that point at it

Raw dictionaries become records here. `arguments` is a JSON string on the wire and in the published layouts; it is an
object in memory, in chat templates, and in pushed datasets, whose cards declare messages as `Json()` (else Arrow would
merge the keys of different calls).
"""
