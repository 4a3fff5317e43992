"""Chat endpoints: limits, budget, cache.

again.py         A question asked again in other words: what was wrong with the answer, and what it should look like
answer_text.py   What of a model's text is its answer: without thinking, channel marks, end tokens and wrappers; and
                 words around it
bounded_http.py  The HTTP client of endpoints: bodies up to a limit, never packed, and no redirect is followed
budget.py        What asking costs: the estimate before a run, and the budget that a run must not spend twice or
                 exceed
cache.py         Answers of language models kept on this machine, by the hash of what was asked: nothing is asked
                 twice
chat_models.py   One way from a model's name to its answers: an endpoint, or our own vLLM server that is started
                 when it is needed
client.py        Chat requests to an OpenAI-compatible endpoint, one checked answer each, whatever goes wrong on the
                 way
completions.py   What a chat completion says, in the forms in which endpoints send it: words, calls, thinking, and why
                 it ended
connection.py    One try of a chat request: how it is written for the endpoint at hand, and what comes back
endpoints.py     Where endpoints are: one address from the command line, or a file with one for each model
estimate.py      What asking would cost, before it is done
failures.py      What a chat endpoint's replies and errors mean: an answer, another try, the end of a request, or of
                 the run
json_answers.py  A model's answer read as one JSON object, or the reason why it cannot be used
limiter.py       How many requests are under way at once: fewer when the endpoint is overloaded, more again when it
                 answers
parameters.py    What is sent beside the messages, and what of it an endpoint has refused: that is sent otherwise from
                 then on
quoting.py       Texts of others in prompts: each stands inside the JSON strings of one line that a template begins
rates.py         Requests and tokens a minute: how long a request has to wait so that an endpoint's limits hold
records.py       Chat requests, answers, endpoints, counts
secrets.py       Keys and passwords of endpoints: taken out of every text and address that is shown, written or
                 published
spending.py      What one call of `ask_all` spends: each try is noted before it is sent, so that a kill does not
                 make it forgotten
"""
