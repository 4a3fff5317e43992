"""What tests of several rooms share; pytest puts `tests/` on the path, so that a test says `from support.x import y`.

tft                    `tft` in a process of its own that starts quickly
tft_starter            the process that those are forked from
http_server            a server in a thread, and a request handler that says nothing on stderr
chat_endpoint          an OpenAI-compatible endpoint that gives verdicts and fails in every way that endpoints fail
model_endpoint         one that answers with tool calls, counts its questions and fails as a test says
judge_prompts          read a judge's prompt back into its case
judge_attacks          attempts to talk a judge into a verdict, and the places where they can stand
role_prompts           read prompts of the other roles back
sample_test_set        the sample task as a test-set repository
garage_task            a task about garages: its conversations, disputes and plans
library_dialogues      conversations of a library's agent, and wrong ones made from them
bike_dialogues         conversations about bikes for rent, and noise on their calls
true_messages          true messages in the manner of large models
false_calls            true calls made false in one respect each
notations              calls written in the notation of each family
trained_model          what is recorded of a training that was never run
benchmark_results      results of a benchmark that was never run
ada                    a Hub with a user Ada, her client, and the repositories that she makes
promotion              repositories with a history, to be promoted from one Hub to another
hub_requests           every request that the routes of the Hub allow
hostile_cards          cards that try to run a script or load something
workflow_runner        run a job of a workflow as a runner does
workflow_expressions   the expressions of workflows
workflow_identity      GitHub's identity tokens, in front of a Hub

`tests/attacks/` and `tests/written_before/make.py` import nothing from here: both also run beside older checkouts.
"""
