"""Which APIs an access token is for, and with which scopes (RFC 8707; RFC 9068 2.2.3, 3, 5).

1. A scope belongs to one resource of the settings, its owner, or to none.
2. `openid` belongs to the issuer, for its userinfo endpoint: a token with that scope has the
   issuer in its audience, unless the device names other resources at the token endpoint.
3. An access token has no scope whose owner is outside its audience. A grant that has scopes of
   two resources and is older than these settings keeps the audience that it had.
4. A token that is narrowed, by `scope` or by `resource`, is never good where the grant's own
   token would not be. An audience that only a scope has brought goes with that scope.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from deviceflow.core.client import Client
from deviceflow.core.client_values import Resource, ScopeToken
from deviceflow.core.form import Form

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

    def __init__(self, issuer: str, resources: Iterable[ProtectedResource] = ()) -> None:
        self._issuer = issuer
        self._owners: dict[str, str] = {}
        for resource in resources:
            for scope in resource.scopes:
                # Settings with two owners are refused; the first is the one that an error names.
                self._owners.setdefault(scope, resource.resource)

    def owner(self, scope: str) -> str | None:
        """Return the resource of the settings that `scope` belongs to, if there is one."""
        return self._owners.get(scope)

    def owners(self, scopes: Iterable[str]) -> set[str]:
        """Return the resources of the settings that `scopes` belong to."""
        return {self._owners[scope] for scope in scopes if scope in self._owners}

    def named(self, parameters: Iterable[str], client: Client) -> tuple[str, ...] | None:
        """Return the resources that `resource` parameters name, or None for `invalid_target`.

        Each must be an absolute URI without a fragment (RFC 8707 2), and one that the client
        may name. Every client may name the issuer.
        """
        names = tuple(dict.fromkeys(parameters))
        allowed = {self._issuer, *client.resources}
        return names if all(_is_uri(name) and name in allowed for name in names) else None

    def scopes(
        self, scopes: tuple[str, ...], named: tuple[str, ...], *, are_default: bool
    ) -> tuple[str, ...] | None:
        """Return the scopes of a grant, or None for `invalid_scope`.

        Their owners are among the resources that the request `named`. If it named none, they
        have one owner at most (RFC 9068 3). If the request named no scope, those of the named
        resources are chosen from the client's (RFC 6749 3.3: a default).
        """
        owners = self.owners(scopes)
        if owners <= {*named} or (len(owners) == 1 and not named):
            return scopes
        if not named or not are_default:
            return None
        return tuple(scope for scope in scopes if self.owner(scope) in {None, *named}) or None

    def access(
        self, scope: str, grant: GrantedScope, client: Client, parameters: Iterable[str]
    ) -> TokenScope | None:
        """Return what the next access token of a grant opens, or None for `invalid_target`.

        `scope` is that of the token, within the grant's. The token is only for the resources
        that the `resource` parameters of the token request name, and keeps the scopes that are
        good there (RFC 8707 2.2). A token that would keep no scope is refused, because no answer
        could say so (RFC 6749 5.1).
        """
        audience = self._audience(scope.split(), grant, client)
        names = tuple(dict.fromkeys(parameters))
        if not all(_is_uri(name) and name in audience for name in names):
            return None
        if not names and not grant.resources:
            return TokenScope(scope, audience)
        opened = names or audience
        good = " ".join(each for each in scope.split() if self._home(each) in {None, *opened})
        return TokenScope(good, opened) if good or not scope else None

    def _audience(self, scopes: list[str], grant: GrantedScope, client: Client) -> tuple[str, ...]:
        """Return where the grant is good with `scopes` alone, a part of its own; never nothing.

        A grant that named no resource has the owner of its scopes as audience, or else the
        client's default (RFC 9068 3).
        """
        granted = grant.scope.split()
        owners = self.owners(granted)
        default = client.audience or self._issuer
        names = [*grant.resources] or (list(owners) if len(owners) == 1 else [default])
        if OPENID in granted and self._issuer not in names:
            names = [*names, self._issuer]
        lost = {self._home(scope) for scope in granted} - {self._home(scope) for scope in scopes}
        still_good = [name for name in names if name in grant.resources or name not in lost]
        return tuple(still_good or names)

    def _home(self, scope: str) -> str | None:
        """Return where `scope` is good: at its owner, which for `openid` is the issuer."""
        return self._issuer if scope == OPENID else self.owner(scope)


def requested_resources(form: Form, client: Client, issuer: str) -> list[str]:
    """Return what a request names in `resource`, or else in `audience`.

    Libraries written for Auth0 send `audience`. No standard has it here, so it counts only if it
    is a resource that the client may name, and is ignored otherwise, as unknown parameters are.
    """
    named = form.repeated.get("resource", [])
    audience = form.fields.get("audience", "")
    if named or not _is_uri(audience) or audience not in {issuer, *client.resources}:
        return named
    return [audience]


def _is_uri(name: str) -> bool:
    try:
        parts = urlsplit(name)
    except ValueError:
        return False
    return bool(parts.scheme) and bool(parts.netloc or parts.path) and "#" not in name
