"""Traces of production agents: read from any known layout, looked through, cleared of personal data.

documents.py  The records of a file, whatever it is: JSON lines, a JSON array, one document, Parquet, a zip of JSON
langfuse.py   Langfuse exports: traces with their input and output, or observations, of which the last generation tells
              it all
read.py       Files of traces in any known layout, row by row; a row that cannot be read says why, and the rest goes on
source.py     What a stage reads: a file of traces, a folder that an earlier stage wrote, or a dataset at a commit

What a row says is read by `formats/row_layouts.py`, and its messages by `formats/message_reader.py`, not strictly.
"""
