"""The authorization request, and the provider's answer to it (OpenID Connect Core 3.1.2)."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from deviceflow.config import Upstream
from deviceflow.core.pkce import METHOD, challenge
from deviceflow.upstream.errors import Cause, UpstreamError
from deviceflow.upstream.metadata import ProviderMetadata

ANSWER_FIELDS = ("state", "code", "iss", "error")
"""What is read of an answer. `error_description` is not: a stranger can write it."""

_CODE = re.compile(r"[a-z0-9_]{1,50}")


class Detour(NamedTuple):
    """What binds an answer to its request, and both to one browser.

    `verifier`: the PKCE code verifier (RFC 7636). `redirect_uri`: where the answer comes.
    """

    state: str
    nonce: str
    verifier: str
    redirect_uri: str


class Answer(NamedTuple):
    """The answer, as the browser brings it. Each field may be empty."""

    state: str
    code: str
    iss: str
    error: str

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> "Answer":
        """Read an answer from a query or a form."""
        return cls(*(fields.get(name, "") for name in ANSWER_FIELDS))


def authorization_url(
    upstream: Upstream, metadata: ProviderMetadata, detour: Detour, prompt: str
) -> str:
    """Return where the browser goes. `prompt`: empty for none. May raise UpstreamError."""
    if METHOD not in (metadata.code_challenge_methods_supported or (METHOD,)):
        raise UpstreamError(Cause.BAD_METADATA, "it supports PKCE, but not with S256")
    parameters = {
        "response_type": "code",
        "client_id": upstream.client_id,
        "redirect_uri": detour.redirect_uri,
        "scope": " ".join(upstream.scopes),
        "state": detour.state,
        "nonce": detour.nonce,
        "code_challenge": challenge(detour.verifier),
        "code_challenge_method": METHOD,
    }
    if upstream.response_mode != "query":
        parameters["response_mode"] = upstream.response_mode
    if prompt:
        parameters["prompt"] = prompt
    if upstream.max_age_s is not None:
        parameters["max_age"] = str(upstream.max_age_s)
    if upstream.acr_values:
        parameters["acr_values"] = " ".join(upstream.acr_values)
    return with_query(metadata.authorization_endpoint, parameters)


def code_in(answer: Answer, metadata: ProviderMetadata) -> str:
    """Return the code of an answer whose `state` is right. May raise UpstreamError.

    The issuer goes first: an answer of another provider counts neither as a success nor as an
    error of this one (RFC 9207 2.4).
    """
    if answer.iss and answer.iss != metadata.issuer:
        raise UpstreamError(Cause.BAD_ISSUER, "the answer names another issuer")
    if metadata.authorization_response_iss_parameter_supported and not answer.iss:
        raise UpstreamError(Cause.BAD_ISSUER, "the answer names no issuer, though all should")
    if answer.error:
        raise UpstreamError(Cause.REFUSED, "an error in the answer", error_code(answer.error))
    if not answer.code:
        raise UpstreamError(Cause.BAD_RESPONSE, "neither a code nor an error in the answer")
    return answer.code


def error_code(text: object) -> str:
    """Return an error code as it may be logged and shown: `unknown_error` for any other text."""
    return text if isinstance(text, str) and _CODE.fullmatch(text) else "unknown_error"


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """Add parameters to a URL, which may have a query (RFC 6749 3.1)."""
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(parameters)}"
