"""The harness's own vLLM server, and the guard around the files that it loads.

arithmetic.py    In which arithmetic the engine answers: the default on the CPU, faster ones, what runs have recorded
build.py         The installed build of vLLM: its arguments, environment and memory
checkpoint.py    A model repository before it is loaded: a causal LM, with safe weights, without code of its own
cpu_adapters.py  LoRA adapters on the CPU as matrix products, in place of vLLM's own functions
devices.py       Where the engines of one run go: each on a GPU, or on its share of the cores
environment.py   The environment of processes that load a model's files: no secrets
guard.py         A child process with limits, in which all that a model's repository decides is read and rendered
guard_child.py   The program of that child
model_files.py   The files of a model's repository, read there: sizes, numbers, weight index and shapes, model card
process.py       The engine's process: its start, its memory, its progress, and its end with the harness
server.py        The vLLM server as a child process on loopback, always stopped, one at a time for all that need it
"""
