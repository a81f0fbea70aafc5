"""The metadata and the tokens, read by libraries that are strict about them."""

from typing import Any

import pytest

from tests.interop.conftest import SECRET
from tests.interop.peer import (
    CLIENTS,
    JOSE,
    OPENID_CLIENT,
    REQUESTS_OAUTHLIB,
    SPRING_SECURITY,
    Library,
)
from tests.interop.site import Play, Site

with_and_without_a_path = pytest.mark.parametrize(
    "site", ["", "/tenants/north"], ids=["host", "path"], indirect=True
)


@with_and_without_a_path
@pytest.mark.parametrize("library", [*CLIENTS, SPRING_SECURITY], ids=lambda library: library.name)
def test_openid_discovery(play: Play, site: Site, library: Library) -> None:
    """8414-3.3-a, OIDCD-4-a: found behind the issuer, and taken as it is."""
    peer = play(library, only_discover=True)
    metadata = peer.step("discovered")["metadata"]
    assert metadata["issuer"] == site.issuer
    assert metadata["device_authorization_endpoint"].startswith(site.issuer)
    peer.step("done")


@with_and_without_a_path
def test_oauth_discovery(play: Play, site: Site) -> None:
    """8414-3-a, 8414-3.3-a: oauth4webapi looks before the issuer's path."""
    peer = play(OPENID_CLIENT, only_discover=True, algorithm="oauth2")
    assert peer.step("discovered")["metadata"]["issuer"] == site.issuer
    peer.step("done")


@pytest.mark.parametrize("client_id", ["tv", "rs256"])
def test_tokens_read_by_jose(play: Play, site: Site, client_id: str) -> None:
    """9068-4-a, OIDC-3.1.3.7-a: the keys by their address, and a type for each kind of token."""
    device = play(REQUESTS_OAUTHLIB, client_id=client_id)
    device.step("discovered")
    site.decide(device.step("authorized"), "approve")
    tokens = device.step("tokens")
    told = {name: tokens[name] for name in ("access_token", "id_token")}

    reader = play(JOSE, client_id=client_id, **told)
    reader.step("discovered")
    identity, access = reader.step("signed in"), reader.step("validated")
    algorithm = "RS256" if client_id == "rs256" else "ES256"
    for read in (identity, access):
        assert read["claims"]["sub"] == tokens["claims"]["sub"]
        assert read["header"]["alg"] == algorithm
    assert identity["claims"]["aud"] == client_id
    assert access["claims"]["client_id"] == client_id
    reader.step("done")

    # Neither token is taken for the other one (RFC 9068 2.1).
    swapped = {"access_token": tokens["id_token"], "id_token": tokens["id_token"]}
    reader = play(JOSE, client_id=client_id, audience=client_id, **swapped)
    reader.step("discovered")
    reader.step("signed in")
    assert reader.fails() == "ERR_JWT_CLAIM_VALIDATION_FAILED"


@with_and_without_a_path
def test_a_resource_server(play: Play, site: Site) -> None:
    """9068-4-a, 7662-2.1-a, OIDC-3.1.3.3-a: an API made with Spring Security, or openid-client."""
    device = play(REQUESTS_OAUTHLIB, scope="openid profile")
    device.step("discovered")
    site.decide(device.step("authorized"), "approve")
    tokens: dict[str, Any] = device.step("tokens")

    told = {name: tokens[name] for name in ("access_token", "id_token")}
    server = play(SPRING_SECURITY, **told, resource_server="reader", client_secret=SECRET)
    server.step("discovered")
    subject = tokens["claims"]["sub"]
    assert server.step("signed in")["claims"]["sub"] == subject
    claims = server.step("validated")["claims"]
    assert (claims["sub"], claims["scope"]) == (subject, tokens["scope"])
    assert server.step("introspected")["claims"] == {"sub": subject, "client_id": "tv"}
    server.step("done")

    told = {"client_id": "reader", "auth": "client_secret_basic", "client_secret": SECRET}
    server = play(OPENID_CLIENT, introspect=tokens["access_token"], **told)
    plain, signed = server.step("introspected"), server.step("introspected")
    assert plain == signed
    assert (plain["claims"]["sub"], plain["claims"]["active"]) == (subject, True)
    server.step("done")
