"""One provider: a person is sent there, and comes back with an answer that is checked."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from deviceflow.config import Upstream
from deviceflow.core.clock import Clock, SteadyClock
from deviceflow.core.provider_tokens import (
    ExpectedToken,
    LogoutToken,
    TokenError,
    auth_time_of,
    check_access_token_hash,
    check_id_token,
    context_of,
    methods_of,
    read_logout_token,
    session_of,
    subject_of,
)
from deviceflow.core.public_key import fault
from deviceflow.core.upstream_person import UpstreamSubject
from deviceflow.signing.errors import BadToken
from deviceflow.signing.provider_tokens import unverified_header, verify_of_provider
from deviceflow.upstream.authorization import (
    Answer,
    Detour,
    authorization_url,
    code_in,
    error_code,
    with_query,
)
from deviceflow.upstream.credential import Credential
from deviceflow.upstream.errors import Cause, UpstreamError
from deviceflow.upstream.kept import Kept
from deviceflow.upstream.metadata import ProviderMetadata, metadata_url, read_metadata
from deviceflow.upstream.web_client import Fetch, Response

_OK = 200
_MOST_KEYS = 100

# Tokens of another kind that the same key has signed are none of these (RFC 8725 3.11).
_ID_TOKEN_TYPES = {"", "jwt"}
_LOGOUT_TOKEN_TYPES = {*_ID_TOKEN_TYPES, "logout+jwt"}


class UpstreamIdentity(NamedTuple):
    """A person whom a provider has authenticated.

    `claims`: of the ID token, and of userinfo where it was asked. `sid`: the session there, empty
    if it has no name. `auth_time` (s), `acr`: None if the provider does not say.
    """

    whose: UpstreamSubject
    claims: Mapping[str, Any]
    amr: tuple[str, ...]
    acr: str | None
    auth_time: int | None
    sid: str
    id_token: str


class Provider:
    """An upstream provider. Every method may raise UpstreamError."""

    def __init__(
        self, upstream: Upstream, fetch: Fetch, *, clock: Clock, steady: SteadyClock
    ) -> None:
        self.upstream = upstream
        self.credential = Credential(upstream=upstream, clock=clock)
        self._fetch = fetch
        self._clock = clock
        self._metadata = Kept(self._fetch_metadata, steady)
        self._keys = Kept(self._fetch_keys, steady)

    async def start(self, detour: Detour, prompt: str = "") -> str:
        """Return where the browser goes to sign in. `prompt`: empty for none."""
        return authorization_url(self.upstream, await self._metadata.get(), detour, prompt)

    async def finish(self, answer: Answer, detour: Detour) -> UpstreamIdentity:
        """Return who signed in. `answer` has the state of `detour`."""
        metadata = await self._metadata.get()
        code = code_in(answer, metadata)
        tokens = await self._redeem(code, detour, metadata)
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise UpstreamError(Cause.BAD_RESPONSE, "the token response lacks a token")
        if str(tokens.get("token_type")).lower() != "bearer":
            raise UpstreamError(Cause.BAD_RESPONSE, "token_type: expected Bearer (RFC 6749 7.1)")
        claims, algorithm = await self._verified(id_token, metadata, _ID_TOKEN_TYPES)
        expected = ExpectedToken(
            issuer=metadata.issuer,
            client_id=self.upstream.client_id,
            nonce=detour.nonce,
            max_age_s=self.upstream.max_age_s,
            acr_values=self.upstream.acr_values,
        )
        try:
            check_id_token(claims, expected, self._clock())
            check_access_token_hash(claims, access_token, algorithm)
        except TokenError as error:
            raise UpstreamError(Cause.BAD_ID_TOKEN, str(error)) from error
        return UpstreamIdentity(
            whose=UpstreamSubject(metadata.issuer, subject_of(claims)),
            claims=await self._with_userinfo(claims, access_token, metadata),
            amr=methods_of(claims),
            acr=context_of(claims),
            auth_time=auth_time_of(claims),
            sid=session_of(claims),
            id_token=id_token,
        )

    async def end_session_url(self, id_token: str, redirect_uri: str) -> str | None:
        """Return where the browser goes to sign out there too, or None if that is not possible.

        OpenID Connect RP-Initiated Logout 1.0, 2. `id_token`: the hint, empty for none.
        """
        endpoint = (await self._metadata.get()).end_session_endpoint
        if endpoint is None or not self.upstream.logout:
            return None
        parameters = {
            "client_id": self.upstream.client_id,
            "post_logout_redirect_uri": redirect_uri,
        }
        hint = {"id_token_hint": id_token} if id_token else {}
        return with_query(endpoint, hint | parameters)

    async def read_logout(self, logout_token: str) -> LogoutToken:
        """Verify a logout token (OpenID Connect Back-Channel Logout 1.0, 2.6)."""
        metadata = await self._metadata.get()
        claims, _ = await self._verified(logout_token, metadata, _LOGOUT_TOKEN_TYPES)
        try:
            return read_logout_token(
                claims,
                issuer=metadata.issuer,
                client_id=self.upstream.client_id,
                now=self._clock(),
            )
        except TokenError as error:
            raise UpstreamError(Cause.BAD_ID_TOKEN, str(error)) from error

    async def _redeem(
        self, code: str, detour: Detour, metadata: ProviderMetadata
    ) -> dict[str, Any]:
        """Send the token request (OpenID Connect Core 3.1.3.1)."""
        authentication = self.credential.authenticate(metadata)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": detour.redirect_uri,
            "code_verifier": detour.verifier,
        }
        response = await self._fetch(
            metadata.token_endpoint,
            form=form | dict(authentication.form),
            headers=authentication.headers,
        )
        if response.status == _OK:
            return response.body
        if "error" not in response.body:
            raise _unexpected("the token endpoint", response)
        detail = f"the token endpoint answers {response.status}"
        raise UpstreamError(Cause.TOKEN_REFUSED, detail, error_code(response.body["error"]))

    async def _verified(
        self, token: str, metadata: ProviderMetadata, types: set[str]
    ) -> tuple[dict[str, Any], str]:
        """Return the claims of a token whose signature is good, and its algorithm.

        `types`: the `typ` that it may have, in small letters, empty for none.

        The algorithm is one that the settings allow and the provider announces. A key id that is
        unknown may be that of a new key: the keys are fetched again, though not at once again.
        """
        try:
            header = unverified_header(token)
            if str(header.get("typ", "")).lower().removeprefix("application/") not in types:
                raise UpstreamError(Cause.BAD_ID_TOKEN, "typ: a token of another kind")
            algorithm, key_id = header.get("alg"), header.get("kid")
            announced = metadata.id_token_signing_alg_values_supported
            if algorithm not in self.upstream.algorithms or algorithm not in announced:
                shown = algorithm if isinstance(algorithm, str) and len(algorithm) < 10 else "?"  # noqa: PLR2004
                raise UpstreamError(
                    Cause.BAD_ID_TOKEN, f"alg: {shown} is not allowed, or not announced"
                )
            keys = _fitting(await self._keys.get(), key_id)
            if not keys:
                keys = _fitting(await self._keys.renew(), key_id)
            if not keys:
                raise UpstreamError(Cause.BAD_ID_TOKEN, "kid: no such key at jwks_uri")
            return verify_of_provider(token, keys, str(algorithm)).claims, str(algorithm)
        except BadToken:
            detail = "the token is no JWT, or none of the provider's keys has signed it"
            raise UpstreamError(Cause.BAD_ID_TOKEN, detail) from None

    async def _with_userinfo(
        self, claims: dict[str, Any], access_token: str, metadata: ProviderMetadata
    ) -> dict[str, Any]:
        """Add what the ID token lacks, and userinfo has (OpenID Connect Core 5.3)."""
        lacks = self._lacks(claims)
        if not lacks or metadata.userinfo_endpoint is None:
            return claims
        response = await self._fetch(
            metadata.userinfo_endpoint, headers={"Authorization": f"Bearer {access_token}"}
        )
        if response.status != _OK or not response.body:
            raise _unexpected("userinfo", response, Cause.BAD_USERINFO)
        if response.body.get("sub") != claims["sub"]:
            raise UpstreamError(Cause.BAD_USERINFO, "userinfo is about another person")
        # Only what was looked for: all else stays as the ID token says it.
        kept = {name: value for name, value in claims.items() if name not in lacks}
        return kept | {name: response.body[name] for name in lacks & response.body.keys()}

    def _lacks(self, claims: Mapping[str, Any]) -> set[str]:
        """Return the claims that are used and missing."""
        names = self.upstream.claims
        wanted = {self.upstream.username_claim, names.name, names.email}
        if self.upstream.groups:
            wanted.add(names.groups)
        # Whether an address is verified is said of the address in the same document.
        pair = set() if self.upstream.trust_email else {names.email, "email_verified"}
        lacks = (wanted | pair) - claims.keys()
        return lacks | pair if lacks & pair else lacks

    async def _fetch_metadata(self) -> ProviderMetadata:
        url = metadata_url(self.upstream.issuer)
        response = await self._fetch(url)
        if response.status != _OK or not response.body:
            raise _unexpected(url, response)
        return read_metadata(response.body, self.upstream.issuer)

    async def _fetch_keys(self) -> list[dict[str, Any]]:
        """Return the keys that may verify a signature; others are none (RFC 7517 5)."""
        url = (await self._metadata.get()).jwks_uri
        response = await self._fetch(url)
        keys = response.body.get("keys")
        if response.status != _OK or not isinstance(keys, list):
            raise _unexpected(url, response, Cause.BAD_KEYS)
        listed = [key for key in keys[:_MOST_KEYS] if isinstance(key, dict)]
        return [key for key in listed if fault(key) is None]


def _fitting(keys: list[dict[str, Any]], key_id: object) -> list[dict[str, Any]]:
    """List the keys that a token may be signed with: the one it names, or all if it names none."""
    return keys if key_id is None else [key for key in keys if key.get("kid") == key_id]


def _unexpected(what: str, response: Response, cause: Cause = Cause.BAD_RESPONSE) -> UpstreamError:
    """Make the error for a response that is not what was asked for."""
    if response.status >= 500:  # noqa: PLR2004, the errors of servers
        return UpstreamError(Cause.UNREACHABLE, f"{what} answers {response.status}")
    said = "JSON that was not expected" if response.body else "no JSON object"
    return UpstreamError(cause, f"{what} answers {response.status} with {said}")
