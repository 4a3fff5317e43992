"""From a conversation to a prompt, and from a call to an answer: backends, our own engine, chat endpoints, parsing.

names.py    backend:id[@revision], and the known backends
prompts/    Prompts as token ids: a conversation prefix through the model's own chat template
roles.py    Which model plays which role: the rule-based stand-ins, the published models, or what a file says
backends/   One file a backend
chat/       Chat endpoints: limits, budget, cache
engine/     Our own vLLM server
parsing/    Raw text to a tool call
"""
