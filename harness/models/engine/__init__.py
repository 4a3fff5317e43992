"""Our own vLLM server, and what guards against the files that it loads.

build.py        What suits the installed build of vLLM: arguments, environment, and the memory that it may take
checkpoint.py   A model repository before it is loaded: causal LM, safe weights, no code of its own
environment.py  What processes that load a model's files see of the environment: no secrets
guard.py        A child with limits, in which all that a model's repository decides is read, loaded and rendered
guarded.py      The side of that child
launch.py       The engine's own process: imports vLLM, and waits until the model's files have been checked
repository.py   What the files of a repository say, read there: sizes, numbers, index and shapes of weights, card
server.py       The vLLM server as a child process, on loopback, always stopped
shared.py       Our own vLLM server for models that answer questions: started when it is needed, shared by roles, one
                at a time
tether.py       A process group that ends when the harness does, even if it is killed
watch.py        What the engine takes of the memory, and whether it gets on
"""
