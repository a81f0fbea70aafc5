"""Keys, challenges, assertions and registration, as openid-client does them."""

import pytest

from tests.interop.conftest import API, PRIVATE_KEY, REGISTRATION_TOKEN
from tests.interop.peer import GO_OAUTH2, OPENID_CLIENT
from tests.interop.site import Play, Site
from tests.interop.test_flow import plays_to_the_end


def test_with_a_key_and_a_challenge(play: Play, site: Site) -> None:
    """9449-5-a, 9449-8-a: DPoP with the server's nonces, from the first request to the last."""
    peer = play(OPENID_CLIENT, client_id="bound", dpop=True, pkce=True)
    tokens = plays_to_the_end(peer, site)
    assert tokens["token_type"] == "dpop"


def test_with_a_challenge_alone(play: Play, site: Site) -> None:
    """RFC 7636 4.6, in a second library."""
    plays_to_the_end(play(GO_OAUTH2, pkce=True), site)


def test_without_the_key_that_is_required(play: Play) -> None:
    """9449-5.2-a."""
    peer = play(OPENID_CLIENT, client_id="bound", pkce=True)
    peer.step("discovered")
    assert peer.fails() == "invalid_request"


def test_with_an_assertion(play: Play, site: Site) -> None:
    """7523-3-a, 7523-3-b, OIDC-9-a: a new one for each request, for the issuer."""
    key = PRIVATE_KEY.as_dict(private=True)
    plays_to_the_end(play(OPENID_CLIENT, client_id="signed", auth="private_key_jwt", jwk=key), site)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_registered_by_itself(play: Play, site: Site, algorithm: str) -> None:
    """RFC 7591 3, OpenID Connect Registration 2: the library takes only the algorithm it chose."""
    peer = play(OPENID_CLIENT, register=REGISTRATION_TOKEN, signed_with=algorithm)
    assert peer.step("registered")["client_id"]
    plays_to_the_end(peer, site)


def test_for_one_api(play: Play, site: Site) -> None:
    """8707-2-b, 9068-2.2-a: the API's own check of the token accepts it."""
    peer = play(OPENID_CLIENT, scope="profile", resource=API)
    peer.step("discovered")
    site.decide(peer.step("authorized"), "approve")
    assert peer.step("tokens")["scope"] == "profile"
    assert peer.step("validated")["claims"]["aud"] == API
    peer.step("done")
