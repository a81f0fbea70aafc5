"""What was sent and what came back, as reports have it: without secrets."""

import json
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from deviceflow.conformance.answers import SiteAnswer

_SECRET_NAMES = frozenset(
    {"device_code", "user_code", "access_token", "refresh_token", "id_token", "client_secret"}
    | {"token", "verification_uri_complete", "client_assertion", "code_verifier"}
)
_SECRET_HEADERS = frozenset({"authorization", "dpop", "set-cookie", "cookie"})


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent and what came back, without secrets: each is replaced by its length."""

    method: str
    url: str
    sent: list[tuple[str, str]]
    status: int
    headers: dict[str, str]
    body: str
    seconds: float


EXCHANGES: ContextVar[list[Exchange]] = ContextVar("exchanges")
"""What the running check has sent and received."""


def masked_exchange(
    method: str,
    url: str,
    pairs: list[tuple[str, str]],
    headers: Mapping[str, str],
    answer: SiteAnswer,
    seconds: float,
) -> Exchange:
    """Note an exchange without its secrets."""
    sent = [(name, _hidden(name, value)) for name, value in pairs]
    sent += [(f"{name}:", _hidden(name, value)) for name, value in headers.items()]
    address, question, query = url.partition("?")
    if question:
        masked = [(name, _hidden(name, value)) for name, value in parse_qsl(query)]
        address += "?" + "&".join(f"{name}={value}" for name, value in masked)
    if answer.members:
        hidden = {name: _hidden(name, value) for name, value in answer.members.items()}
        body = json.dumps(hidden, ensure_ascii=False)
    else:
        body = answer.body[:200].decode("utf-8", "replace")
    secrets = [value for name, value in pairs if name in _SECRET_NAMES and value]
    for secret in secrets:  # a server may repeat in a text what it received
        body = body.replace(secret, f"({len(secret)} characters)")
    return Exchange(
        method=method,
        url=address,
        sent=sent,
        status=answer.status,
        headers={name: _hidden(name, value) for name, value in answer.headers.items()},
        body=body,
        seconds=round(seconds, 4),
    )


def _hidden(name: str, value: Any) -> Any:  # noqa: ANN401, any JSON
    if name.lower() not in _SECRET_NAMES | _SECRET_HEADERS:
        return value
    if name.lower() == "authorization" and isinstance(value, str):
        scheme, _, rest = value.partition(" ")
        return f"{scheme} ({len(rest)} characters)"
    return f"({len(str(value))} characters)"
