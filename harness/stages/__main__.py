"""A stage in a process of its own: `python -m harness.stages REQUEST.json` prints the result as one JSON document.

The request is `{"stage": NAME, "request": {...}}`, with the fields of that stage's request. What is said meanwhile goes
to stderr; an error ends as one sentence there, with its exit status.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any, get_type_hints

from harness.curation.stage_settings import resolve
from harness.errors import HarnessError, end_on_signals, explained, interruption
from harness.hub.connect import connected
from harness.stages._result import StageResult
from harness.terminal import echo, run_guarded, say


def run_document(document: dict[str, Any]) -> dict[str, Any]:
    """Run what a document requests, and return its result as JSON values; UsageError for fields that no request has."""
    run = importlib.import_module(f"harness.stages.{document['stage'].replace('-', '_')}").run
    request = resolve(get_type_hints(run)["request"], document["request"])
    with connected(None) as hub:
        made: StageResult = run(request, hub)
    return {
        "repo": made.artifact.repo_id if made.artifact else None,
        "revision": made.artifact.revision if made.artifact else None,
        "folder": str(made.folder) if made.folder else None,
        "reused": made.reused,
    }


def main() -> None:
    """Run the stage of the document that the command line names."""
    end_on_signals()
    sys.exit(run_guarded(_run))


def _run() -> int:
    try:
        result = run_document(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    except KeyboardInterrupt as error:
        word, status = interruption(error)
        say(word)
        return status
    except (HarnessError, OSError) as error:
        sentence, status = explained(error)
        say(f"error: {sentence}", lines=getattr(error, "has_lines", False))
        return status
    echo(json.dumps(result))
    return 0


if __name__ == "__main__":
    main()
