"""Our own vLLM server.

checkpoint.py  A model repository before it is loaded: causal LM, safe weights, no code of its own
server.py      The vLLM server as a child process, on loopback, always stopped
shared.py      Our own vLLM server for models that answer questions: started when it is needed, shared by roles, one
               at a time
tether.py      A process group that ends when the harness does, even if it is killed
"""
