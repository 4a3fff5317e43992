"""One file a backend.

adapter_files.py  What the files of an adapter say, read in a child with limits
adapters.py  LoRA adapters that share a base: pulled and checked, then asked one after the other through one vLLM
             server
backend.py   What every backend answers, and the bounded asking of those that are asked one item at a time
openai.py    Answers from any OpenAI-compatible chat endpoint: messages and tools in, a call out
prepare.py   From a model name to a backend that is ready
replay.py    Answers from a file: an earlier run's answers, or texts written by anything else
subject.py   A model made ready to be asked, whatever its backend
vllm.py      vLLM: token ids in, raw text out, greedy
vllm_backend.py  What asks a running vLLM server of our own
"""
