"""Routes: who am I, and the validation of cards."""

from __future__ import annotations

import re
from typing import Any

import yaml
from starlette.responses import PlainTextResponse, Response

from .request import Call, answer
from .safe_yaml import front_matter

KNOWN = frozenset(
    """
    apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m
    afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0
    cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0
    cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0
    cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2
    agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc h-research intel-research lppl-1.3c ms-pl mpl-2.0
    apple-ascl apple-amlr odc-by odbl openmdw-1.0 openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr
    deepfloyd-if-license fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4
    grok2-community gemma unknown other
    """.split()  # noqa: SIM905 - a list of texts would be a page long
)
_VERSION = re.compile(r"[-]?\d+(\.\d+)*[a-z]?$")
_FAMILIES = frozenset(_VERSION.sub("", name) for name in KNOWN if _VERSION.search(name))
DISPLAY_NAME = "hub"


def is_known(licence: str) -> bool:
    """Return whether the Hub knows the licence, or another version of it: this list gets old."""
    version = _VERSION.search(licence)
    return licence in KNOWN or (version is not None and licence[: version.start()] in _FAMILIES)


def whoami(call: Call) -> Response:
    """Answer who the token belongs to, their organisations and the token's role."""
    user, find = call.required_user(), call.services.accounts.organisation
    orgs = [
        {
            "type": "org",
            "id": f"org-{name}",
            "name": name,
            "fullname": organisation["fullname"] if (organisation := find(name)) else name,
            "email": None,
            "canPay": False,
            "periodEnd": None,
            "avatarUrl": "",
            "roleInOrg": "admin" if user.role == "write" else "read",
            "isEnterprise": False,
        }
        for name in user.orgs
    ]
    token = {"displayName": DISPLAY_NAME, "role": user.role, "createdAt": "1970-01-01T00:00:00.000Z"}
    return answer(
        {
            "type": "user",
            "id": f"user-{user.name}",
            "name": user.name,
            "fullname": user.fullname,
            "email": f"{user.name}@users.noreply.localhost",
            "emailVerified": True,
            "canPay": False,
            "periodEnd": None,
            "isPro": False,
            "avatarUrl": "",
            "orgs": orgs,
            "auth": {"type": "access_token", "accessToken": token},
        }
    )


def validate_yaml(call: Call) -> Response:
    """Check the metadata of a card: 200 with warnings, or 400 with errors, as JSON or as text if that is asked for."""
    content = call.json().get("content")
    errors: list[str] = []
    warnings: list[str] = []
    metadata: Any = None
    try:
        metadata = front_matter(content if isinstance(content, str) else "")
    except yaml.YAMLError as error:
        errors.append(f"YAML metadata: {' '.join(str(error).split())}")
    if metadata is None and not errors:
        warnings.append("empty or missing yaml metadata in repo card")
    if isinstance(metadata, dict):
        errors += _problems(metadata)
    elif metadata is not None:
        errors.append("YAML metadata must be a mapping")
    status = 400 if errors else 200
    if call.headers.get("accept") == "text/plain":
        lines = [f"- Error: {text}" for text in errors] + [f"- Warning: {text}" for text in warnings]
        return PlainTextResponse("\n".join(lines), status_code=status)
    body = {"errors": [{"message": text} for text in errors], "warnings": [{"message": text} for text in warnings]}
    if errors:
        body["error"] = "\n".join(errors)  # type: ignore[assignment]
    return answer(body, status=status)


def _problems(metadata: dict[Any, Any]) -> list[str]:
    texts = ("pipeline_tag", "library_name", "license_name", "pretty_name")
    lists = ("tags", "datasets", "metrics")
    found = [f'"{key}" must be a string' for key in texts if not isinstance(metadata.get(key, ""), str)]
    found += [
        f'"{key}" must be a string or a list of strings'
        for key in ("license", "language", "base_model")
        if not _text_or_texts(metadata.get(key, ""))
    ]
    found += [f'"{key}" must be an array of strings' for key in lists if not _text_or_texts(metadata.get(key) or [])]
    licences = metadata.get("license")
    for licence in licences if isinstance(licences, list) else [licences]:
        if isinstance(licence, str) and licence and not is_known(licence):
            found.append(f'"license" must be one of {", ".join(sorted(KNOWN))}; got {licence[:80]!r}')
    if not isinstance(metadata.get("model-index") or [], list):
        found.append('"model-index" must be an array')
    return found


def _text_or_texts(value: Any) -> bool:
    # YAML reads the language code `no` as false; the Hub accepts it.
    return (
        isinstance(value, str | bool)
        or (isinstance(value, list) and all(isinstance(item, str | bool) for item in value))
        or value is None
    )
