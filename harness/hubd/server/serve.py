"""Runs the Hub on uvicorn until it is told to stop."""

from __future__ import annotations

import asyncio
import ctypes
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from ..accounts.users_file import Directory, OrgEntry, UserEntry, load_users, parse_size
from ..api.request import Services
from ..db import readable_database
from ..errors import HubStartError
from ..root import Root, default_root, open_root
from ..storage.usage import Quotas
from .app import HubApp
from .connections import Connections, descriptors
from .origin import LOOPBACK, Hosts
from .protocol import bounded_protocol

DEFAULT_PORT = 7860
KEEP_ALIVE_SECONDS = 5
LONG_TOKEN = 20  # characters, too long to guess
SWITCH_SECONDS = 0.001  # a thread that computes keeps all others waiting for so long; by default it is 5 ms
M_ARENA_MAX = -8  # of glibc's malloc.h


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to serve: `root` None is the default folder, port 0 a free one, `users` a YAML file or None.

    `allow_hosts` are further names that requests may ask for, `quota` is what a namespace may store, e.g. `20GB`.
    """

    root: Path | None = None
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    users: Path | None = None
    allow_hosts: Sequence[str] = ()
    quota: str | None = None
    verbose: bool = False
    stop_with_stdin: bool = False


def serve(settings: Settings, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; `say` gets the lines for stdout. Raises HubStartError if it cannot start."""
    directory = load_users(settings.users) if settings.users else None
    if directory is not None and settings.host not in LOOPBACK:
        _warn_of_guessable(directory)
    quotas = _quotas(settings.quota, directory)
    listener = listen(settings.host, settings.port)
    root = open_root(settings.root or default_root())
    try:
        with readable_database(root.database):
            services, new_token = _prepare(root, directory, quotas)
        server = bounded_server(
            HubApp(services, hosts=Hosts.of(settings.host, settings.allow_hosts), verbose=settings.verbose),
            lambda: _announce(settings, listener, root.token_file, new_token, say),
        )
        if settings.stop_with_stdin:
            threading.Thread(target=_stop_with_stdin, args=(server,), daemon=True).start()
        sys.setswitchinterval(SWITCH_SECONDS)
        _share_freed_memory()
        server.run(sockets=[listener])
    finally:
        listener.close()
        root.close()


def _share_freed_memory() -> None:
    """Have all threads take from one heap: of their own, each would keep tens of MB for good after one large answer."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # glibc's
        libc.mallopt(M_ARENA_MAX, 1)


def _prepare(root: Root, directory: Directory | None, quotas: Quotas) -> tuple[Services, str | None]:
    """Return the services, and the token of the first user if it was made just now."""
    services = Services(root, quotas)
    if directory is None:
        return services, services.accounts.ensure_someone(root)
    services.accounts.replace(directory)
    root.token_file.unlink(missing_ok=True)  # the user it belonged to is gone
    return services, None


def _quotas(usual: str | None, directory: Directory | None) -> Quotas:
    try:
        size = parse_size(usual) if usual is not None else None
    except ValueError as error:
        raise HubStartError(f"--quota: {error}.") from error
    owners: list[UserEntry | OrgEntry] = [*directory.users, *directory.orgs] if directory else []
    own = {owner.name.lower(): owner.quota for owner in owners if owner.quota is not None}
    return Quotas(usual=size, own=own, several=directory is not None)


async def _nothing() -> None:
    """Close nothing."""


def bounded_server(
    app: ASGIApp,
    ready: Callable[[], None],
    closing: Callable[[], Awaitable[None]] = _nothing,
    *,
    keep_alive: int = KEEP_ALIVE_SECONDS,
) -> uvicorn.Server:
    """Return a server with the bounds of `connections` and `protocol`.

    `ready` is called once it listens, `closing` when its last answer is done; a connection without a request ends after
    `keep_alive` seconds.
    """
    connections = Connections(descriptors())
    config = uvicorn.Config(
        app,
        log_config=None,  # uvicorn's own closes the handlers of the whole process, and some of them what they write to
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=keep_alive,
        http=bounded_protocol(connections),
        ws="none",
    )
    return _Server(config, connections, ready, closing)


class _Server(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        connections: Connections,
        ready: Callable[[], None],
        closing: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(config)
        self._connections, self._ready, self._closing = connections, ready, closing
        self._watching: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._watching = asyncio.create_task(self._connections.watch())
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        await self._closing()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of uvicorn
        """Stop; a second signal does not wait for open requests. Ending on request is success: nothing is re-raised."""
        self.force_exit = self.should_exit
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, port 0 taking a free one; raises HubStartError where there is none."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise HubStartError(
            f"{host}: {error.strerror or error}; give an address of this machine with --host."
        ) from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or "it is no port number"
        raise HubStartError(
            f"Cannot listen on {host} port {port}: {reason}; choose another --port (0 takes a free one)."
        ) from error
    return listener


def _announce(
    settings: Settings, listener: socket.socket, token_file: Path, new_token: str | None, say: Callable[[str], None]
) -> None:
    host, port = listener.getsockname()[:2]
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - what was asked for
    url = f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
    say(f"Hub ready: {url}")
    say(f"  export HF_ENDPOINT={url}")
    if new_token:
        say(f"  export HF_TOKEN={new_token}")
        say(f"The token is shown once; it is kept in {token_file}, readable by you only.")
    elif settings.users:
        say(f"  export HF_TOKEN=...   # one of the tokens in {settings.users}")
    elif token_file.exists():
        say(f'  export HF_TOKEN="$(cat {token_file})"')
    else:
        say("  export HF_TOKEN=...   # a token of the users file this Hub was started with before")
    if settings.host not in LOOPBACK:
        print(  # noqa: T201
            f"Listening on {settings.host}: other machines can reach this Hub, and tokens travel unencrypted. "
            "Put it behind a proxy with TLS outside a trusted network.",
            file=sys.stderr,
        )
    if settings.host not in LOOPBACK and settings.quota is None:
        print("No --quota is set: anyone who may write can fill the disk.", file=sys.stderr)  # noqa: T201


def _warn_of_guessable(directory: Directory) -> None:
    short = [user.name for user in directory.users if any(len(token.token) < LONG_TOKEN for token in user.tokens)]
    if short:
        print(  # noqa: T201
            f"Tokens of {', '.join(short[:5])}{' and others' if len(short) > 5 else ''} have fewer than {LONG_TOKEN} "
            "characters and may be guessed by anyone who reaches this Hub; make long ones (openssl rand -hex 20).",
            file=sys.stderr,
        )


def _stop_with_stdin(server: uvicorn.Server) -> None:
    """Stop when the parent closes our stdin, also because it died."""
    sys.stdin.buffer.read()
    server.should_exit = True
