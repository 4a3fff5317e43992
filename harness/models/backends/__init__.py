"""Backends for the model under test: every module here without an underscore is one, with a function `prepare`.

_adapter_files.py  The files of a LoRA adapter, read in the guarded child process
_adapters.py       LoRA adapters on one base: pulled and checked, then asked one after the other through one vLLM server
_base.py           EvaluatedModel and Backend: what each backend provides, and asking one item at a time
_prepare.py        From a model's name to an EvaluatedModel
_replicas.py       Several engines or endpoints that answer for one model: whole conversations go to one of them
_thinking.py       Thinking before an answer: its room, its end, and apart from the answer
_vllm_client.py    The client of the harness's own vLLM server
logged.py          The model that wrote the traces: its answers are in the logged test conversations
openai.py          Any OpenAI-compatible chat endpoint: messages and tools in, a call out
replay.py          Answers from a file: those of an earlier run, or texts that something else wrote
vllm.py            vLLM on a checkpoint from the Hub: token ids in, raw text out, greedy or sampled
"""
