"""Models as files for other engines.

gguf.py   A model on a Hub as a GGUF file: written in the guarded child, read again there and compared
names.py  What GGUF calls a model's settings, weights, tokens and ways of splitting text
"""
