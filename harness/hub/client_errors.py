"""Exceptions of the Hub's client, translated into sentences with a next step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import AccessDenied, CommitConflict, HubError, HubUnreachable, RepoNotFound
from harness.hub.address import proxy_problem

_FORBIDDEN = (401, 403)
_STALE_PARENT = 412
_NO_SPACE = 507


@contextmanager
def translate_errors(what: str, endpoint: str, token_from: str) -> Iterator[None]:
    """Raise a client's exception again as a HubError that says what `what` was and what to do.

    `token_from` is the variable that holds the token.
    """
    from json import JSONDecodeError

    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise AccessDenied(
            f"{what} is gated: accept its terms at {endpoint}, then set {token_from} (or run `hf auth login`)"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise RepoNotFound(f"{what}: no such revision on {endpoint}; its page lists them") from error
    except errors.RepositoryNotFoundError as error:
        raise RepoNotFound(
            f"{what} was not found on {endpoint}; check the name, and if it is private set {token_from} "
            "(or run `hf auth login`) to a token that may read it"
        ) from error
    except errors.RemoteEntryNotFoundError as error:
        raise RepoNotFound(f"{what}: no such file on {endpoint}; the repository's page lists them") from error
    except errors.HfHubHTTPError as error:
        raise _http_error(what, endpoint, token_from, error) from error
    except errors.OIDCError as error:
        raise AccessDenied(
            f"{what}: HF_OIDC_RESOURCE asks for a token by OIDC, and there is none ({_first_line(error)}); "
            "give the job the permission `id-token: write`, or set HF_TOKEN and no HF_OIDC_RESOURCE"
        ) from error
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, httpx2.TransportError) as error:
        cause = error.__cause__ if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__ else error
        raise HubUnreachable(
            f"the Hub at {endpoint} cannot be reached ({_first_line(cause)}); check the network and HF_ENDPOINT"
        ) from error
    except (httpx2.RequestError, httpx2.InvalidURL) as error:  # redirects without end or to nowhere, damaged packing
        raise HubError(
            f"{what}: {endpoint} answered, but not as a Hub does ({_first_line(error)}); check HF_ENDPOINT"
        ) from error
    except RuntimeError as error:  # whatever happens to a large file on its way
        advice = "free some space" if "No space left" in str(error) else "check the network"
        raise HubError(f"{what}: the transfer failed ({_first_line(error)}); {advice} and run this again") from error
    except (ImportError, ValueError, LookupError, TypeError, AttributeError) as error:
        if isinstance(error, ImportError | ValueError) and (problem := proxy_problem()):  # seen at the first request
            raise HubUnreachable(f"the Hub at {endpoint} cannot be asked: {problem}") from error
        if isinstance(error, ImportError | ValueError) and not isinstance(error, JSONDecodeError):
            raise
        raise HubError(f"{what}: {endpoint} answered, but not as a Hub does ({error!r}); check HF_ENDPOINT") from error


def _http_error(what: str, endpoint: str, token_from: str, error: Exception) -> HubError:
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if status in _FORBIDDEN:
        return AccessDenied(
            f"{what}: {endpoint} refused the request ({status}: {_said(error)}); "
            f"use a token with the right to do this in {token_from} (a read-only token cannot push)"
        )
    if status == _STALE_PARENT:
        return CommitConflict(f"{what}: someone else pushed in the meantime; run this again")
    if status == _NO_SPACE:
        return HubError(f"{what}: the Hub at {endpoint} has no space left; free some and run this again")
    return HubError(f"{what}: {endpoint} answered {status or 'with an error'}: {_said(error)}")


def _said(error: Exception) -> str:
    """Return what the server said about a refused request; the client's own text begins with the request's id."""
    message = getattr(error, "server_message", None)
    return str(message).rstrip(".") if message else _first_line(error)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
