"""`python -m harness.hubd`: the server without the rest of the harness."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .errors import HubStartError
from .server.serve import DEFAULT_PORT, Settings, serve


def main() -> int:
    """Serve until stopped; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m harness.hubd", description=__doc__)
    parser.add_argument("--root", type=Path, help="folder of the Hub")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--users", type=Path, help="YAML file with users, organisations and tokens")
    parser.add_argument("--quota", metavar="SIZE", help="what each user and organisation may store, e.g. 20GB")
    parser.add_argument(
        "--allow-host", dest="allow_hosts", action="append", default=[], metavar="NAME", help="answer to this name, too"
    )
    parser.add_argument("--verbose", action="store_true", help="one line per request on stderr")
    parser.add_argument("--stop-with-stdin", action="store_true", help="stop when stdin is closed")
    given = parser.parse_args()
    try:
        serve(Settings(**vars(given)), lambda line: print(line, flush=True))  # noqa: T201
    except HubStartError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
