"""Clients and the scopes that their grants get."""

from typing import Any

import msgspec
import pytest

from deviceflow.core.client import Client
from deviceflow.core.client_methods import CLIENT_METHODS, AuthMethod

TV = Client(client_id="tv-app", name="TV", scopes=("openid", "profile", "offline_access"))


@pytest.mark.parametrize("requested", [None, ""])
def test_absent_or_empty_scope_asks_for_all(requested: str | None) -> None:
    """8628-3.1-b, 6749-3.3-a: an empty parameter is an omitted one, and has a default."""
    assert TV.scopes_for(requested) == ("openid", "profile", "offline_access")


def test_a_client_without_scopes_gets_a_grant_without_scopes() -> None:
    bare = Client(client_id="bare", name="Bare")
    assert bare.scopes_for(None) == ()
    assert bare.scopes_for("openid") is None


@pytest.mark.parametrize("requested", ["openid  profile", " openid profile", "openid profile   "])
def test_runs_of_spaces_separate_like_one(requested: str) -> None:
    assert TV.scopes_for(requested) == ("openid", "profile")


def test_the_refused_scopes() -> None:
    assert TV.refused_scopes("openid admin  root admin") == ["admin", "root"]
    assert TV.refused_scopes("openid profile") == []


def test_requested_order_is_kept_and_doubles_are_dropped() -> None:
    assert TV.scopes_for("profile openid profile") == ("profile", "openid")


@pytest.mark.parametrize(
    "requested",
    [
        "admin",
        "openid admin",
        "OPENID",  # RFC 6749 3.3: case-sensitive
        "openid\tprofile",
        "openid\nprofile",
        'open"id',
        "openid,profile",
        " ",
    ],
)
def test_what_is_not_allowed_or_not_a_scope_token_is_refused(requested: str) -> None:
    assert TV.scopes_for(requested) is None


def test_an_empty_token_is_never_a_scope() -> None:
    careless = Client(client_id="c", name="C", scopes=("", "openid"))
    assert careless.scopes_for("openid  openid") == ("openid",)


def test_only_a_public_client_proves_nothing() -> None:
    """RFC 6749 2.1; RFC 9449 5: its refresh tokens are bound to its key instead."""
    assert TV.is_public
    assert TV.refresh_tokens_have_key
    for method in CLIENT_METHODS:
        client = msgspec.structs.replace(TV, auth_method=method)
        assert client.method is CLIENT_METHODS[method]
        assert client.is_public is client.refresh_tokens_have_key is (client.method is TV.method)


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("client_secret_basic", {"secret_sha256": ("a" * 64,)}),
        ("client_secret_post", {"secret_sha256": ("a" * 64,)}),
        ("private_key_jwt", {"jwks": {"keys": [{"kty": "EC"}]}}),
        ("tls_client_auth", {"tls_client_auth_subject_dn": "CN=tv"}),
    ],
)
def test_a_method_needs_its_credential(method: AuthMethod, fields: dict[str, Any]) -> None:
    client = msgspec.structs.replace(TV, auth_method=method, jwks={"keys": []})
    assert client.lacks_credential
    assert not msgspec.structs.replace(client, **fields).lacks_credential
    assert not TV.lacks_credential


@pytest.mark.parametrize("client_id", ["", "a b", "a\n", "é", "x" * 101, "a\x7f"])
def test_client_id_is_printable_ascii_without_spaces(client_id: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"client_id": client_id, "name": "TV"}, Client)


@pytest.mark.parametrize("scope", ["", "a b", 'a"', "a\\", "a\n", "é"])
def test_scopes_are_scope_tokens(scope: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"client_id": "c", "name": "TV", "scopes": [scope]}, Client)


@pytest.mark.parametrize("name", ["", " TV", "TV ", "T\nV", "x" * 101])
def test_names_fit_on_one_line(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"client_id": "c", "name": name}, Client)


@pytest.mark.parametrize("name", ["T", "TV", "Living-room TV", "Fernseher im Büro", "x" * 100])
def test_good_names(name: str) -> None:
    assert msgspec.convert({"client_id": "c", "name": name}, Client).name == name


def test_a_name_of_earlier_times_is_shown_without_what_would_lie() -> None:
    """The record is read all the same: a client that vanished would stop its devices."""
    for stored, shown in (("\u202eVT", "VT"), ("Bu\u0308ro", "B\u00fcro"), ("\u200b", "c")):
        assert msgspec.convert({"client_id": "c", "name": stored}, Client).name == shown


@pytest.mark.parametrize(
    ("chosen", "granted"),
    [
        ((), "openid"),
        (("email",), "openid email"),
        (("email", "profile"), "profile openid email"),
        (("print", "openid", "offline_access"), "openid"),
    ],
)
def test_what_is_granted_is_requested_and_fixed_or_chosen(
    chosen: tuple[str, ...], granted: str
) -> None:
    """A choice never widens a grant, and takes away what is optional only."""
    scopes = ("openid", "profile", "email", "print", "offline_access")
    client = Client(client_id="tv", name="TV", scopes=scopes, optional_scopes=scopes[1:])
    assert client.granted_scope("profile openid email", chosen) == granted
    assert client.optional_in("profile openid email") == ("profile", "email")
