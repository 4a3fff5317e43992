"""The endpoint that serves a model: OpenAI's chat API over the harness's own engine, rendered and read as evaluated.

answers.py    From a model's raw text to what the assistant says or calls: whole, and while it is generated
app.py        The ASGI application: OpenAI's routes, who may ask, and refusals in OpenAI's form
engine.py     The engine behind the endpoint: started beside it, asked by token ids, started again once where it dies
parity.py     Whether the endpoint sends and answers what `tft evaluate` does, token by token
pieces.py     Token ids of texts that begin alike: each piece is encoded once
rendering.py  Prompts of single requests, rendered in guarded children that stay
requests.py   Requests for chat completions: validated, with what cannot be honoured refused
serve.py      From the name of a model to an endpoint that answers for it until it is told to stop
service.py    Answers to chat requests: prompt, engine, reading; whole, or as a stream of chunks
tasks.py      The task that a model is served for: the one that is named, or that of its lineage
words.py      What a model says to the user, while it is generated
"""
