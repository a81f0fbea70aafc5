"""A description of tokens for people."""

from base64 import urlsafe_b64decode
from datetime import UTC, datetime

import msgspec

from deviceflow.device.answers import Tokens, printable, read_object

_PARTS = 3
_TIMES = {"auth_time", "exp", "iat", "nbf"}
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def claims(token: str) -> dict[str, object] | None:
    """Decode a JWT's claims (RFC 7519 7.2), unverified. Return None if it is not a JWT."""
    parts = token.split(".")
    if len(parts) != _PARTS:
        return None
    header, payload = (_decoded(part) for part in parts[:2])
    return payload if header is not None else None


def summary(tokens: Tokens) -> str:
    """Describe the token response, with its tokens and the claims of those that are JWTs."""
    lines = [
        f"token type     {printable(tokens.token_type)}",
        f"lifetime       {lifetime(tokens.expires_in)}",
        f"scope          {printable(tokens.scope) if tokens.scope else 'as requested'}",
    ]
    members = (
        ("access token", tokens.access_token),
        ("refresh token", tokens.refresh_token),
        ("ID token", tokens.id_token),
    )
    for name, token in members:
        if token is not None:
            lines += ["", name, printable(token), *_claim_lines(token)]
    return "\n".join(lines)


def lifetime(seconds: int | None) -> str:
    """Format a lifetime in the largest unit that divides it, and in seconds."""
    if seconds is None:
        return "not given"
    for unit, size in _UNITS:
        if seconds >= size and seconds % size == 0:
            number = seconds // size
            return f"{number} {unit}{'' if number == 1 else 's'} ({seconds} s)"
    return f"{seconds} s"


def _decoded(part: str) -> dict[str, object] | None:
    try:
        return read_object(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        return None


def _claim_lines(token: str) -> list[str]:
    members = claims(token)
    if members is None:
        return []
    width = max(map(len, members), default=0)
    return ["its claims, not verified"] + [
        f"  {printable(name):{width}}  {_value(name, value)}" for name, value in members.items()
    ]


def _value(name: str, value: object) -> str:
    text = printable(msgspec.json.encode(value).decode())
    if name not in _TIMES or type(value) is not int:
        return text
    try:
        return f"{text} ({datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC)"
    except (OverflowError, ValueError, OSError):
        return text
