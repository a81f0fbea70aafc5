"""The claims of tokens: RFC 9068 access tokens and OpenID Connect ID tokens."""

import msgspec

ClaimValue = str | int | list[str] | dict[str, str]
Claims = dict[str, ClaimValue]

ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105, the `typ` of RFC 9068 2.1
ID_TOKEN_TYPE = "JWT"  # noqa: S105, the `typ` of RFC 7519 5.1


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """The person that approved a grant, and how that person signed in.

    `auth_time` in s; `amr`: the methods (RFC 8176); `acr`: the level of assurance. `mark`: the
    account's for devices at that moment (`account_marks`), None if an older version stored it.
    """

    sub: str
    username: str
    auth_time: int
    amr: tuple[str, ...] = ()
    acr: str | None = None
    name: str | None = None
    email: str | None = None
    mark: int | None = None


class Validity(msgspec.Struct, frozen=True):
    """The time in which a token is valid, in s since the epoch."""

    issued_at: int
    expires_at: int


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What an access token allows, where, and to which client.

    `audience`: the `aud`, one or several APIs. `jkt`: the thumbprint of a DPoP key (RFC 9449 6.1).
    All tokens of an approval have the same `grant_id`.
    """

    audience: str | list[str]
    client_id: str
    scope: str
    grant_id: str = ""
    jkt: str = ""


def access_token(
    subject: Subject, access: Access, *, issuer: str, jti: str, lifetime: Validity
) -> Claims:
    """Return the claims of an access token.

    RFC 9068 2.2, 2.2.1 (authentication), 2.2.3 (scope).
    """
    claims: Claims = {
        "iss": issuer,
        "sub": subject.sub,
        "aud": access.audience,
        "client_id": access.client_id,
        "scope": access.scope,
        "jti": jti,
        "iat": lifetime.issued_at,
        "exp": lifetime.expires_at,
    }
    claims |= _authentication(subject)
    if access.grant_id:
        claims["grant_id"] = access.grant_id
    if access.jkt:
        claims["cnf"] = {"jkt": access.jkt}
    return claims


def id_token(
    subject: Subject, *, issuer: str, client_id: str, scope: str, lifetime: Validity
) -> Claims:
    """Return the claims of an ID token: OpenID Connect Core 2, and 5.4 for `scope`."""
    claims: Claims = {
        "iss": issuer,
        "sub": subject.sub,
        "aud": client_id,
        "iat": lifetime.issued_at,
        "exp": lifetime.expires_at,
    }
    claims |= _authentication(subject)
    return claims | profile(subject, scope)


def _authentication(subject: Subject) -> Claims:
    """Return the claims about the sign-in (RFC 9068 2.2.1), without those that are not known."""
    claims: Claims = {"auth_time": subject.auth_time}
    if subject.amr:
        claims["amr"] = list(subject.amr)
    if subject.acr:
        claims["acr"] = subject.acr
    return claims


def profile(subject: Subject, scope: str) -> Claims:
    """Return the claims about the person that `scope` allows (OpenID Connect Core 5.4)."""
    scopes = scope.split()
    claims: Claims = {}
    if "profile" in scopes:
        claims["preferred_username"] = subject.username
        if subject.name:
            claims["name"] = subject.name
    if "email" in scopes and subject.email:
        claims["email"] = subject.email
    return claims
