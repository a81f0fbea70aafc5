"""The errors that machines receive (RFC 6749 section 5.2, RFC 8628 section 3.5).

There is a class, and a function for each error code. A description is fixed text. It repeats
nothing that the client sent except scopes, so it stays inside the character set of RFC 6749 5.2.
"""

import re
from collections.abc import Iterable, Mapping

MAX_SCOPES_NAMED = 200
"""How many characters of refused scopes an error repeats."""

_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")

ERROR_CODES = frozenset(
    {
        # RFC 6749 5.2
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        # RFC 6749 4.1.2.1
        "access_denied",
        "unsupported_response_type",
        "server_error",
        "temporarily_unavailable",
        # RFC 8628 3.5
        "authorization_pending",
        "slow_down",
        "expired_token",
        # RFC 6750 3.1
        "invalid_token",
        "insufficient_scope",
        # RFC 7591 3.2.2, RFC 8707 2, RFC 9449 5 and 8
        "invalid_client_metadata",
        "invalid_target",
        "invalid_dpop_proof",
        "use_dpop_nonce",
    }
)
"""All codes. oauth/openapi/openapi.json says which endpoint answers with which of them."""


class OAuthError(Exception):
    """An answer with an error code: one of ERROR_CODES, or empty for none (RFC 6750 3).

    `retry_after`: the Retry-After header in s, 0 for none. `challenge`: add WWW-Authenticate,
    because the client used the Authorization header. `headers`: further headers.
    """

    def __init__(
        self,
        code: str,
        description: str = "",
        *,
        status: int = 400,
        retry_after: int = 0,
        challenge: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if code and code not in ERROR_CODES:
            raise ValueError(f"{code} is not in ERROR_CODES")
        super().__init__(code)
        self.code = code
        self.description = description
        self.status = status
        self.retry_after = retry_after
        self.challenge = challenge
        self.headers = dict(headers or {})


def invalid_request(description: str, status: int = 400) -> OAuthError:
    """Make the error for a missing, doubled or malformed parameter (RFC 6749 5.2)."""
    return OAuthError("invalid_request", description, status=status)


def missing_parameter(name: str) -> OAuthError:
    """Make the error for a missing parameter, whose `name` is this server's own text."""
    return invalid_request(f"The parameter {name} is missing.")


def invalid_client(*, challenge: bool = False, expected_method: str = "") -> OAuthError:
    """Make the error for a client that failed to authenticate (RFC 6749 5.2).

    `expected_method`: the method to use instead. Only a client that has shown its secret may
    learn it: any other sender would learn that the client exists.
    """
    text = "The client is unknown or could not be authenticated."
    if expected_method:
        text = f"The secret is right, but this client has to use {expected_method}."
    return OAuthError("invalid_client", text, status=401, challenge=challenge)


def invalid_grant(description: str) -> OAuthError:
    """Make the error for a code or token that is unknown, used or another client's (5.2)."""
    return OAuthError("invalid_grant", description)


def invalid_scope(refused: Iterable[str] = ()) -> OAuthError:
    """Make the error for a scope that is malformed or not allowed to the client (5.2).

    `refused`: the scopes to name. They are repeated only if they are scope-tokens (3.3), whose
    characters may all stand in a description.
    """
    names = " ".join(refused)
    if not names:
        return OAuthError("invalid_scope", "This client may not ask for that scope.")
    if not all(map(_SCOPE_TOKEN.fullmatch, names.split(" "))):
        return OAuthError("invalid_scope", "The scope has characters that no scope can have.")
    if len(names) > MAX_SCOPES_NAMED:
        names = f"{names[:MAX_SCOPES_NAMED]}..."
    return OAuthError("invalid_scope", f"This client may not ask for: {names}")


def unsupported_grant_type() -> OAuthError:
    """Make the error for a grant type that this server does not have (RFC 6749 5.2)."""
    return OAuthError("unsupported_grant_type", "This server does not offer that grant type.")


def unsupported_response_type() -> OAuthError:
    """Make the error of an authorization endpoint that offers no response type (4.1.2.1)."""
    text = "This server offers the device authorization grant only (RFC 8628)."
    return OAuthError("unsupported_response_type", text)


def invalid_target() -> OAuthError:
    """Make the error for a resource that is malformed, unknown or not allowed (RFC 8707 2)."""
    return OAuthError("invalid_target", "This client may not ask for that resource.")


def unauthorized_client(description: str) -> OAuthError:
    """Make the error for a client that is known, but may not do this (RFC 6749 5.2)."""
    return OAuthError("unauthorized_client", description)


def no_device_grant() -> OAuthError:
    """Make the error for a client that may not use this grant type (RFC 8628 3.2, RFC 6749 5.2)."""
    return unauthorized_client("This client may not use the device authorization grant.")


def invalid_dpop_proof(description: str) -> OAuthError:
    """Make the error for a DPoP proof that is not valid (RFC 9449 5)."""
    return OAuthError("invalid_dpop_proof", description)


def use_dpop_nonce(nonce: str) -> OAuthError:
    """Make the error that gives a client the current nonce, to try again (RFC 9449 8)."""
    text = "The DPoP proof needs the nonce that this answer brings."
    return OAuthError("use_dpop_nonce", text, headers={"DPoP-Nonce": nonce})


def temporarily_unavailable(retry_after: int = 5) -> OAuthError:
    """Make the 503 for a store that cannot be reached. The code is from RFC 6749 4.1.2.1."""
    text = "The server cannot do this just now. Please try again."
    return OAuthError("temporarily_unavailable", text, status=503, retry_after=retry_after)


def too_many_failures(retry_after: int, *, is_poll: bool) -> OAuthError:
    """Make the error for an address with too many failed authentications.

    Honest devices may share that address. They would give up at `invalid_client`, so a poll gets
    `slow_down` with status 400 (RFC 8628 3.5). Libraries poll on only for that code and
    `authorization_pending`, and some only at a 400. It has no `interval`, because it says
    nothing about the grant. Any other request gets 429 (RFC 6585 4).
    """
    text = "Too many failed attempts. Try again later."
    if is_poll:
        return OAuthError("slow_down", text, retry_after=retry_after)
    return OAuthError("temporarily_unavailable", text, status=429, retry_after=retry_after)


def too_many_starts(retry_after: int, *, by_address: bool) -> OAuthError:
    """Make the 429 for a device that may not start a grant yet (RFC 6585 4).

    RFC 8628 3.5 has slow_down for polls only. `by_address`: the devices near this one are too many,
    not those of the whole client.
    """
    where = " at this address" if by_address else ""
    text = f"Too many devices of this client start{where}. Try again after the time in Retry-After."
    return OAuthError("temporarily_unavailable", text, status=429, retry_after=retry_after)
