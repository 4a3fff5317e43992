"""Forks a process for each `tft` that it is told to run; see `tft.py`. It runs alone, and imports nothing of tests."""

from __future__ import annotations

import gc
import importlib
import json
import os
import socket
import sys

PRELOADED = (
    *("numpy", "scipy.stats", "scipy.optimize", "rouge_score.rouge_scorer", "pyarrow.parquet", "pydantic", "yaml"),
    *("matplotlib.figure", "matplotlib.backends.backend_agg", "mpl_toolkits", "PIL.PngImagePlugin", "jinja2", "httpx"),
    *("rich.console", "rich.table", "openai", "jsonschema", "harness.cli.__main__"),
    *("harness.stages.evaluate", "harness.reports.evaluation_tables", "harness.evaluation.comparison.gate"),
)
"""What commands import, without what reads the environment on import: huggingface_hub, datasets, transformers."""


def main() -> None:
    connection = socket.socket(fileno=int(sys.argv[1]))
    del sys.path[0]  # the folder of this file
    for name in PRELOADED:
        importlib.import_module(name)
    assert "huggingface_hub" not in sys.modules
    gc.freeze()
    while True:
        size, descriptors, *_ = socket.recv_fds(connection, 8, 2)
        if not size:
            return
        task = json.loads(connection.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL))
        child = os.fork()
        if not child:
            connection.close()
            break
        for descriptor in descriptors:
            os.close(descriptor)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        connection.sendall(f"{status}\n".encode())
    for target, descriptor in enumerate(descriptors, start=1):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(task["environment"])
    os.chdir(task["folder"])
    sys.argv = ["tft", *task["words"]]

    from harness.cli.__main__ import main as tft

    tft()


if __name__ == "__main__":
    main()
