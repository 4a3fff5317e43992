"""From a conversation to a prompt, and from an answer to a tool call: backends, engine, chat endpoints, parsing.

names.py    backend:id[@revision], and the known backends
prompts/    Prompts as token ids: a conversation prefix through the model's own chat template
roles.py    Which model plays which role: the rule-based stand-ins, the published models, or what a file says
backends/   The model under test: one file per backend
chat/       Models asked through chat endpoints: limits, budget, cache
imports/    Models that are files on this machine, converted to what a Hub holds and compared with their source
exports/    Models as files for other engines, compared with what they were made from
engine/     The harness's own vLLM server, and the guard around a model's files
parsing/    Raw text to a tool call
serving/    The endpoint that serves a model as it is evaluated
"""
