"""The whole flow, as ordinary client libraries run it: they know the issuer's address alone."""

import time
from urllib.parse import quote_plus

import pytest

from tests.interop.conftest import SCOPE, SECRET
from tests.interop.peer import (
    AUTHLIB,
    CLIENTS,
    GO_OAUTH2,
    GO_ZITADEL,
    JAVA_NIMBUS,
    OPENID_CLIENT,
    REQUESTS_OAUTHLIB,
    RUST_OPENIDCONNECT,
    Library,
    Peer,
    Step,
)
from tests.interop.site import Play, Site
from tests.stage.waiting import Stopwatch
from tests.stage.wire import DEVICE_CODE_GRANT, fetch, request_of

FIRST_POLL_S = 2

every_library = pytest.mark.parametrize("library", CLIENTS, ids=lambda library: library.name)


def plays_to_the_end(peer: Peer, site: Site) -> Step:
    """Approve what it asks for, and follow it until its refresh token is revoked."""
    assert peer.step("discovered")["metadata"]["issuer"] == site.issuer
    site.decide(peer.step("authorized"), "approve")
    tokens = peer.step("tokens")
    # RFC 6749 3.3: their order means nothing.
    assert sorted(tokens["scope"].split()) == sorted(SCOPE.split())
    # RFC 7519 4.1.3: the text, or a list with it alone.
    assert peer.step("validated")["claims"]["aud"] in (site.issuer, [site.issuer])
    person = peer.step("userinfo")["claims"]
    assert (person["sub"], person["name"]) == (tokens["claims"]["sub"], "Ada Lovelace")
    refreshed = peer.step("refreshed")
    assert refreshed["claims"]["sub"] == tokens["claims"]["sub"]
    assert refreshed["access_token"] != tokens["access_token"]
    assert refreshed["refresh_token"] != tokens["refresh_token"]
    peer.step("revoked")
    assert peer.fails() == "invalid_grant"
    return tokens


@every_library
@pytest.mark.parametrize("site", ["", "/tenants/north"], ids=["host", "path"], indirect=True)
def test_from_the_code_to_the_revocation(play: Play, site: Site, library: Library) -> None:
    """8628-3.5-d, 7009-2-a, OIDC-5.3.2-a, OIDC-12.2-a, OIDCD-4-a."""
    tokens = plays_to_the_end(play(library), site)
    assert tokens["token_type"].lower() == "bearer"


@pytest.mark.parametrize("client_id", ["tv", "rs256"])
def test_authlib(play: Play, site: Site, client_id: str) -> None:
    """OIDCD-3-a: it refuses metadata without an authorization endpoint or without RS256."""
    tokens = plays_to_the_end(play(AUTHLIB, client_id=client_id), site)
    assert tokens["claims"]["aud"] == client_id


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib_with_either_secret_method(play: Play, site: Site, method: str) -> None:
    """6749-2.3.1-a: one client, and whatever the library does by default."""
    secret = SECRET if method == "client_secret_post" else quote_plus(SECRET)
    peer = play(AUTHLIB, client_id="either", auth=method, client_secret=secret)
    plays_to_the_end(peer, site)


@every_library
def test_a_denial(play: Play, site: Site, library: Library) -> None:
    """8628-3.5-c."""
    peer = play(library)
    peer.step("discovered")
    site.decide(peer.step("authorized"), "deny")
    assert peer.fails() == "access_denied"


EXPIRED = {
    # Some of the libraries give up by themselves when the lifetime is over.
    OPENID_CLIENT: "OAUTH_TIMEOUT",
    GO_OAUTH2: "deadline exceeded",
    REQUESTS_OAUTHLIB: "expired_token",
    RUST_OPENIDCONNECT: "expired_token",
    GO_ZITADEL: "deadline exceeded",
    JAVA_NIMBUS: "expired_token",
}


@every_library
def test_nobody_comes(play: Play, library: Library) -> None:
    """8628-3.5-c."""
    peer = play(library, client_id="brief")
    peer.step("discovered")
    peer.step("authorized")
    assert peer.fails() == EXPIRED[library]


@every_library
def test_slow_down_is_kept(play: Play, site: Site, library: Library) -> None:
    """8628-3.5-b: a second, impatient device with the same code slows the first one down."""
    peer = play(library)
    peer.step("discovered")
    authorized = peer.step("authorized")
    shown_at = time.monotonic()
    form = {"client_id": "tv", "grant_type": DEVICE_CODE_GRANT}
    form["device_code"] = authorized["device_code"]
    poll = request_of(f"{site.issuer}/oauth2/token", form)
    # Only the last one is too early for certain: some libraries poll before they wait.
    assert [fetch(poll).body["error"] for _ in range(2)][-1] == "slow_down"
    # No library tells that it was slowed down: its first poll comes after one second.
    with Stopwatch() as watch:
        while watch.seconds < FIRST_POLL_S:
            time.sleep(0.05)
    site.decide(authorized, "approve")
    peer.step("tokens")
    assert time.monotonic() - shown_at > 1 + 5


@pytest.mark.parametrize(
    ("library", "method"),
    [
        (OPENID_CLIENT, "basic"),
        (OPENID_CLIENT, "post"),
        # golang.org/x/oauth2 sends no Authorization header to the first endpoint.
        (GO_OAUTH2, "post"),
        (REQUESTS_OAUTHLIB, "basic"),
        (REQUESTS_OAUTHLIB, "post"),
        (RUST_OPENIDCONNECT, "basic"),
        (RUST_OPENIDCONNECT, "post"),
        (GO_ZITADEL, "basic"),
        (GO_ZITADEL, "post"),
        (JAVA_NIMBUS, "basic"),
        (JAVA_NIMBUS, "post"),
    ],
)
def test_with_a_secret(play: Play, site: Site, library: Library, method: str) -> None:
    """6749-2.3.1-a, 8628-3.1-e, 8628-3.4-b: one that has to be encoded."""
    auth = f"client_secret_{method}"
    peer = play(library, client_id=method, auth=auth, client_secret=SECRET)
    plays_to_the_end(peer, site)


@every_library
def test_a_wrong_secret(play: Play, library: Library) -> None:
    """8628-3.2-c: told at once, before a person is asked."""
    peer = play(library, client_id="post", auth="client_secret_post", client_secret="wrong")
    peer.step("discovered")
    assert peer.fails() == "invalid_client"


@every_library
def test_an_unknown_client(play: Play, library: Library) -> None:
    """8628-3.2-c."""
    peer = play(library, client_id="nobody")
    peer.step("discovered")
    assert peer.fails() == "invalid_client"


@every_library
def test_a_scope_that_is_not_allowed(play: Play, library: Library) -> None:
    """8628-3.2-c."""
    peer = play(library, scope="openid everything")
    peer.step("discovered")
    assert peer.fails() == "invalid_scope"


def test_a_style_that_the_library_has_to_find_out(play: Play, site: Site) -> None:
    """6749-5.2-b: golang.org/x/oauth2, told nothing, tries two requests at each poll."""
    peer = play(GO_OAUTH2, auth="")
    peer.step("discovered")
    authorized = peer.step("authorized")
    with Stopwatch() as watch:
        site.decide(authorized, "approve")
        peer.step("tokens")
        assert watch.seconds < 1 + 5, "the second request must not be slowed down"
