"""`tft hub`: a Hub on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from harness.errors import UsageError


@click.group("hub")
def command() -> None:
    """A Hugging Face Hub on this machine, for work without network."""


@command.command("serve")
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), help="Folder. Default: ~/.cache/tft/hub.")
@click.option("--port", type=click.IntRange(0, 65535), default=7860, show_default=True, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Any other address is open to other machines.")
@click.option("--users", type=click.Path(path_type=Path), metavar="FILE", help="YAML: users, organisations, tokens.")
@click.option("--verbose", is_flag=True, help="One line per request on stderr.")
def serve(root: Path | None, port: int, host: str, users: Path | None, verbose: bool) -> None:
    """Serve the Hub's HTTP API from a folder, until Ctrl-C.

    Unmodified clients (huggingface_hub, datasets, transformers, vLLM, the hf command) use it with the HF_ENDPOINT and
    HF_TOKEN that it prints. Without --users there is one user, `local`, whose token is made at the first start.

    \b
    Examples:
      tft hub serve
      tft hub serve --root ./hub --port 0
      tft hub serve --users users.yaml

    \b
    users.yaml:
      users:
        - {name: ada, fullname: Ada L., orgs: [lab], tokens: [{token: hf_ada, role: write}]}
      orgs:
        - {name: lab, private_by_default: true}
    """
    from harness.hubd.errors import HubStartError
    from harness.hubd.server import Settings, serve

    try:
        serve(Settings(root=root, host=host, port=port, users=users, verbose=verbose), click.echo)
    except HubStartError as error:
        raise UsageError(str(error)) from error
