"""The engine's own process: vLLM is imported while the model's files are checked elsewhere, and reads them after that.

It waits on stdin for a line, and ends where that is closed instead.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import runpy
import sys

SERVER = "vllm.entrypoints.openai.api_server"  # `vllm serve` does not start with the CPU build's package name
LOAD = b"load\n"


def main() -> None:
    """Import, wait, and run the server on the arguments of this process."""
    with contextlib.suppress(Exception):  # what is wrong is said, with its traceback, where the server is run
        importlib.import_module(SERVER)
    if sys.stdin.buffer.readline() != LOAD:
        return
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    sys.modules.pop(SERVER, None)  # it is run as a program, and programs are not imported before
    runpy.run_module(SERVER, run_name="__main__", alter_sys=True)
