"""What is shown of the log of an engine that has ended."""

from __future__ import annotations

from pathlib import Path
from subprocess import Popen

import pytest

from harness.errors import EngineError
from harness.models.engine.server import Server

LOG = """\
(APIServer pid=9) Traceback (most recent call last):
(APIServer pid=9)   File "/a/b.py", line 3, in main
(APIServer pid=9)     run(x)
(APIServer pid=9)     ~~~^^^
(APIServer pid=9)   File "/a/b.py", line 9, in run
(APIServer pid=9)     raise ValueError(x)
(APIServer pid=9) ValidationError: 1 validation error for ModelConfig
(APIServer pid=9)   Value error, unknown dtype: nonsense
Exception in thread Thread-1 (work):
Traceback (most recent call last):
  File "/a/threading.py", line 1045, in _bootstrap_inner
    self.run()
  File "<frozen importlib>", line 10, in <module>
  File "/a/lowering.py", line 3
    import z
           ^
RuntimeError: cannot schedule
"""


def test_the_errors_of_a_log_are_shown_and_not_the_frames_that_lead_to_them(tmp_path: Path) -> None:
    """Also where a thread goes down after the error that counts, with a traceback of its own."""
    log = tmp_path / "engine.log"
    log.write_text(LOG)
    with Popen(["false"]) as process:
        process.wait()
    with pytest.raises(EngineError) as caught:
        Server(port=1, log=log, process=process).wait_until_ready()
    assert str(caught.value).splitlines()[1:] == [
        "  (APIServer pid=9) ValidationError: 1 validation error for ModelConfig",
        "  (APIServer pid=9)   Value error, unknown dtype: nonsense",
        "  Exception in thread Thread-1 (work):",
        "  RuntimeError: cannot schedule",
        f"The whole log: {log}",
    ]
