"""Traces of production agents, read from any known layout.

archive.py               Inspect logs in their archive form: the samples of a zip file, each unpacked as far as a row
                         may reach
beginnings.py            Which of a million sequences are the beginning of another one, in a few bytes for each of their
                         parts
cut_messages.py          Messages that a tool has cut at a size limit, and marked so
documents.py             The records of a file in any format: JSON lines, a JSON array, one document, Parquet, a zip of
                         JSON
enclosed_records.py      The records in a document that is an object around them: an Inspect log, a page of an API;
                         a data frame is named
export_files.py          The files of an export: one, those of a folder or of a zip file, packed or not, each as a
                         stream under limits
json_document.py         One JSON document of any size, value by value: an array of records, or the one value that a
                         file is
langfuse.py              Langfuse exports: traces with their input and output, or observations, of which the last
                         generation tells it all
logged_conversations.py  What exports have in common whose records say only together what a conversation was: each holds
                         all said so far
message_digests.py       Numbers for the messages of a span as they were logged: a quick look at which of two spans goes
                         on from the other
parquet.py               Rows of a Parquet file, read by a process of its own under limits: a few bytes of it can stand
                         for gigabytes
parquet_reader.py        A process that reads a Parquet file and prints its rows as JSON, one per line, under limits it
                         sets itself
parted_messages.py       Messages of OpenTelemetry in their plain form, as most spans have them, read quickly and alike
read.py                  Files of traces in any known layout, row by row; a row that cannot be read says why, and the
                         rest goes on
response_chains.py       Logs of the Responses API whose requests name the response that they continue instead of
                         repeating what was said
sessions.py              Sessions of agents, one message per line: Hugging Face's format, Pi, Claude Code, Codex, and
                         tables of messages
span_attributes.py       The attributes of a span in any form: flat or nested, as OTLP types them, with numbers in their
                         names, as events
span_contents.py         What a span says, whichever tool wrote it: its kind, messages and tools, by the names in
                         `span_names.py`
span_names.py            Names of the attributes in which spans hold what, per convention: another tool's are one more
                         entry
span_records.py          The spans in a record of a file: a span or a run by itself, a trace of them, a document of OTLP
span_tree.py             Which span stands below which, of millions of them: twenty bytes each
spans.py                 Files of spans (OpenTelemetry, OpenInference, LangSmith, MLflow, Jaeger): what models were sent
                         and answered
trace_input.py           What a stage reads: a file or folder of traces, a folder that an earlier stage wrote, or a
                         dataset at a commit

What a row says is read by `formats/row_layouts.py`, and its messages by `formats/message_reader.py`, not strictly.
"""
