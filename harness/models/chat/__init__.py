"""Models asked through chat endpoints: limits, budget, cache.

ask_again.py     A question asked again: what was wrong with the answer, and what it should look like
answer_text.py   The answer in a model's text: without thinking, channel marks, end tokens and wrappers
bounded_http.py  The HTTP client of endpoints: bounded bodies, no compression, no redirects
budget.py        What asking costs: prices, the estimate before a run, and the budget that a run keeps to
cache.py         Answers kept on this machine by the hash of the request, and the ledger of what tries cost
chat_models.py   From a model's name to its answers: an endpoint, or the harness's own vLLM server
client.py        Chat requests to an OpenAI-compatible endpoint: one checked answer each, retries included
completions.py   A chat completion in the forms that endpoints send: text, calls, thinking, finish reason
connection.py    One try of a chat request: as the endpoint takes it, and its reply without secrets
endpoints.py     Where endpoints are, what they cost and allow: one address, or a file with an entry per model
failures.py      What replies and errors of an endpoint mean: retry, give up the request, or stop the run
json_answers.py  A model's answer read as one JSON object, or the reason why it cannot be used
limiter.py       How many requests are in flight (adaptive), and how many leave per minute
parameters.py    Request parameters, and which of them an endpoint has turned out not to take
quoting.py       Untrusted text in prompts: every such text is a JSON string within one line
records.py       Chat requests, answers, endpoints, statistics
"""
