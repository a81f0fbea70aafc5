"""Which APIs an access token is for, and with which scopes (RFC 8707; RFC 9068 2.2.3, 3, 5).

1. A scope belongs to one resource of the settings, or to none.
2. `openid` belongs to the issuer, for its userinfo endpoint: a token with that scope has the
   issuer among its audience, unless the device names other resources at the token endpoint.
3. An access token has no scope that belongs to a resource outside its audience. A grant of
   two resources' scopes that is older than these settings keeps the audience that it had.
4. A token that is narrowed, by `scope` or by `resource`, is never good where the grant's own
   would not be. What only a scope has brought into the audience goes with that scope.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from deviceflow.core.client import Client, Resource, ScopeToken

OPENID = "openid"


class ProtectedResource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An API (`resource`: its `aud`), and the scopes that belong to it and to no other."""

    resource: Resource
    scopes: tuple[ScopeToken, ...] = ()


class GrantedScope(NamedTuple):
    """What a grant is for: its whole `scope` (space separated), and the resources it named."""

    scope: str
    resources: Sequence[str]


class TokenScope(NamedTuple):
    """What one access token opens: `scope` (space separated), at each of `audience`."""

    scope: str
    audience: tuple[str, ...]


class Resources:
    """The resources of one issuer: those of the settings, and the issuer itself."""

    def __init__(self, issuer: str, known: Iterable[ProtectedResource] = ()) -> None:
        self._issuer = issuer
        self._owners = {scope: one.resource for one in known for scope in one.scopes}

    def named(self, asked: Iterable[str], client: Client) -> tuple[str, ...] | None:
        """The resources that were `asked` for, each once, or None for `invalid_target`.

        Each has to be an absolute URI without a fragment (RFC 8707 2), and one that the client
        may name. The issuer may always be named.
        """
        names = tuple(dict.fromkeys(asked))
        allowed = {self._issuer, *client.resources}
        return names if all(_is_uri(name) and name in allowed for name in names) else None

    def scopes(
        self, scopes: tuple[str, ...], named: tuple[str, ...], *, are_default: bool
    ) -> tuple[str, ...] | None:
        """The scopes of a grant, or None for `invalid_scope`.

        They belong to the resources that were `named`, or, where none was, to one and the same
        (RFC 9068 3). Of those that nobody asked for, the named choose (RFC 6749 3.3: a default).
        """
        owners = self._owners_of(scopes)
        if owners <= {*named} or (len(owners) == 1 and not named):
            return scopes
        if not named or not are_default:
            return None
        return tuple(one for one in scopes if self._owners.get(one) in {None, *named}) or None

    def access(
        self, scope: str, grant: GrantedScope, client: Client, asked: Iterable[str]
    ) -> TokenScope | None:
        """What the next access token of a grant opens, or None for `invalid_target`.

        `scope`: that of the token, within the grant's. `asked`: the `resource` of a token
        request; the token is for these only. It keeps the scopes that are good where it is for
        (RFC 8707 2.2); one that would keep none is refused, for no answer could say so (RFC 6749
        5.1).
        """
        audience = self._audience(scope.split(), grant, client)
        names = tuple(dict.fromkeys(asked))
        if not all(_is_uri(name) and name in audience for name in names):
            return None
        if not names and not grant.resources:
            return TokenScope(scope, audience)
        opened = names or audience
        kept = " ".join(one for one in scope.split() if self._home(one) in {None, *opened})
        return TokenScope(kept, opened) if kept or not scope else None

    def _audience(self, scopes: list[str], grant: GrantedScope, client: Client) -> tuple[str, ...]:
        """Where the grant is good, without what a scope had brought that is gone; never nothing.

        Without a resource the default, inferred from the scopes where they tell it (RFC 9068 3).
        """
        granted = grant.scope.split()
        owners = self._owners_of(granted)
        default = client.audience or self._issuer
        names = [*grant.resources] or (list(owners) if len(owners) == 1 else [default])
        if OPENID in granted and self._issuer not in names:
            names = [*names, self._issuer]
        gone = {self._home(one) for one in granted} - {self._home(one) for one in scopes}
        left = [name for name in names if name in grant.resources or name not in gone]
        return tuple(left or names)

    def _home(self, scope: str) -> str | None:
        return self._issuer if scope == OPENID else self._owners.get(scope)

    def _owners_of(self, scopes: Iterable[str]) -> set[str]:
        return {self._owners[one] for one in scopes if one in self._owners}


def _is_uri(name: str) -> bool:
    try:
        parts = urlsplit(name)
    except ValueError:
        return False
    return bool(parts.scheme) and bool(parts.netloc or parts.path) and "#" not in name
