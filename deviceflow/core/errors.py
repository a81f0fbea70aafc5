"""The errors that machines get (RFC 6749 section 5.2, RFC 8628 section 3.5).

One class, one constant a code. A description is fixed text: it never repeats what was sent,
so it stays inside the character set of RFC 6749 5.2 and tells a stranger nothing.
"""

from collections.abc import Mapping


class OAuthError(Exception):
    """An answer with an error code.

    `status` is HTTP's; `retry_after` in s, 0 for none; `challenge`: the client used the
    Authorization header; `headers` come on top.
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
        super().__init__(code)
        self.code = code
        self.description = description
        self.status = status
        self.retry_after = retry_after
        self.challenge = challenge
        self.headers = dict(headers or {})


def invalid_request(description: str, status: int = 400) -> OAuthError:
    """RFC 6749 5.2: a parameter is missing, doubled or malformed."""
    return OAuthError("invalid_request", description, status=status)


def invalid_client(*, challenge: bool = False) -> OAuthError:
    """RFC 6749 5.2: 401 with WWW-Authenticate where the client used the Authorization header."""
    text = "The client is unknown or could not be authenticated."
    return OAuthError("invalid_client", text, status=401, challenge=challenge)


def invalid_grant(description: str) -> OAuthError:
    """RFC 6749 5.2: a code or token that is unknown, used up or another client's."""
    return OAuthError("invalid_grant", description)


def invalid_scope() -> OAuthError:
    """RFC 6749 5.2: malformed, or more than this client may ask for."""
    return OAuthError("invalid_scope", "This client may not ask for that scope.")


def unsupported_grant_type() -> OAuthError:
    """RFC 6749 5.2."""
    return OAuthError("unsupported_grant_type", "This server does not offer that grant type.")


def invalid_target() -> OAuthError:
    """RFC 8707 2: a resource that is malformed, unknown or not for this client."""
    return OAuthError("invalid_target", "This client may not ask for that resource.")


def unauthorized_client(description: str) -> OAuthError:
    """RFC 6749 5.2: the client is known, but may not do this."""
    return OAuthError("unauthorized_client", description)


def invalid_dpop_proof(description: str) -> OAuthError:
    """RFC 9449 5."""
    return OAuthError("invalid_dpop_proof", description)


def use_dpop_nonce(nonce: str) -> OAuthError:
    """RFC 9449 8: try again with the nonce of this answer."""
    text = "The DPoP proof needs the nonce that this answer brings."
    return OAuthError("use_dpop_nonce", text, headers={"DPoP-Nonce": nonce})


def temporarily_unavailable(retry_after: int = 5) -> OAuthError:
    """503: the store cannot be reached. RFC 6749 4.1.2.1 has the code; RFC 9110 the status."""
    text = "The server cannot do this just now. Please try again."
    return OAuthError("temporarily_unavailable", text, status=503, retry_after=retry_after)


def too_many_failures(retry_after: int, *, is_poll: bool) -> OAuthError:
    """Who guesses a client's secret has to wait, and so has whoever shares the address with it.

    Never invalid_client: honest devices would give up. For a poll it is slow_down, with the
    status of RFC 8628 3.5: libraries go on for this and for authorization_pending alone, some of
    them only at a 400. No interval: it says nothing about the grant. Else 429 (RFC 6585 4).
    """
    text = "Too many failed attempts. Try again later."
    if is_poll:
        return OAuthError("slow_down", text, retry_after=retry_after)
    return OAuthError("temporarily_unavailable", text, status=429, retry_after=retry_after)
