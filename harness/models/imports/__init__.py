"""Models that are files on this machine, made into what a Hub holds: read under limits, converted, compared.

architectures.py    Which GGUF files can be read: architectures, and settings that the reader would leave out
convert.py          The conversion, in the guarded child: loaded, written in a dtype, loaded again and compared
gguf_header.py      The header of a GGUF file, read under limits before any library opens the file
package_index.py    Published models that a package carries, fetched with the user's own pip or uv and verified
tokenizer_check.py  A tokenizer against its source: texts, renderings, marks, and how texts are split
write_weights.py    Weights written in a dtype in which the model still answers as its source
"""
