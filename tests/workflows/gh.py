"""GitHub as the program `gh` shows it to our workflows: one permission, and the comments of one pull request."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

BOT = "github-actions[bot]"


def answer(arguments: list[str], state: dict[str, Any]) -> str:
    """Return what is printed; `state` is changed as GitHub would be."""
    comments = state["comments"]
    match arguments:
        case ["api", path] if path.endswith("/permission"):
            login = path.split("/")[-2]
            return json.dumps({"permission": state["permissions"][login], "user": {"login": login}})
        case ["pr", "view", _, "--repo", _, "--json", "comments"]:
            return json.dumps({"comments": comments})
        case ["pr", "comment", number, "--repo", repository, kind, text]:
            url = f"https://github.example/{repository}/pull/{number}#issuecomment-{len(comments) + 1}"
            body = Path(text).read_text() if kind == "--body-file" else text
            comments.append({"url": url, "body": body, "author": {"login": BOT}, "viewerDidAuthor": True})
            return url
        case ["api", "--method", "PATCH", path, "--field", field, "--jq", ".html_url"]:
            [found] = [one for one in comments if one["url"].endswith(f"#issuecomment-{path.rpartition('/')[2]}")]
            found["body"] = Path(field.removeprefix("body=@")).read_text()
            return str(found["url"])
    sys.exit(f"unexpected: gh {' '.join(arguments)}")


def main() -> None:
    file = Path(os.environ["GH_STATE"])
    state = json.loads(file.read_text())
    if os.environ.get("GH_TOKEN") != "ghs_of_the_job":
        sys.exit("gh: set GH_TOKEN")
    state["calls"].append(sys.argv[1:])
    printed = answer(sys.argv[1:], state)
    file.write_text(json.dumps(state))
    sys.stdout.write(printed + "\n")


if __name__ == "__main__":
    main()
