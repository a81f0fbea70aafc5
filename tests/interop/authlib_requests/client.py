# mypy: disable-error-code="no-untyped-call, no-untyped-def"
"""A device and a resource server made with Authlib, which is strict about metadata.

What it is asked: the JSON of its argument; what it tells: a line of JSON for each step
(tests/interop/peer.py). Its keys and tokens are read by joserfc, which Authlib has moved them to.
"""

import json
import os
import sys
import time
from typing import Any

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.discovery import OpenIDProviderMetadata
from joserfc import jwt
from joserfc.jwk import KeySet

TIMEOUT_S = 20
DEVICE_CODE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
Json = dict[str, Any]


def tell(step: str, **said: object) -> None:
    """One line for the test that listens."""
    print(json.dumps({"step": step} | said), flush=True)  # noqa: T201, it is the protocol


class Device:
    """Asks, polls, refreshes, by the endpoints of validated metadata."""

    def __init__(self, asked: Json) -> None:
        self.asked = asked
        self.issuer: str = asked["issuer"]
        address = f"{self.issuer}/.well-known/openid-configuration"
        self.metadata: Json = requests.get(address, timeout=TIMEOUT_S).json()
        OpenIDProviderMetadata(self.metadata).validate()
        self.session = OAuth2Session(
            asked["client_id"],
            asked.get("client_secret"),
            token_endpoint_auth_method=asked["auth"],
            scope=asked["scope"],
            token_endpoint=self.metadata["token_endpoint"],
            revocation_endpoint_auth_method=asked["auth"],
        )

    def authorize(self) -> Json:
        answer = self.session.request(
            "POST",
            self.metadata["device_authorization_endpoint"],
            data={"scope": self.asked["scope"]},
            withhold_token=True,
            auth=self.session.client_auth(self.asked["auth"]),
            timeout=TIMEOUT_S,
        )
        said: Json = answer.json()
        if answer.status_code != requests.codes.ok:
            raise OAuthError(said["error"])
        return said

    def wait(self, authorized: Json) -> Json:
        """RFC 8628 3.5."""
        interval = authorized["interval"]
        while True:
            time.sleep(interval)
            try:
                return dict(
                    self.session.fetch_token(
                        grant_type=DEVICE_CODE_GRANT, device_code=authorized["device_code"]
                    )
                )
            except OAuthError as error:
                if error.error == "slow_down":
                    interval += 5
                elif error.error != "authorization_pending":
                    raise

    def verified(self, token: str, audience: str) -> Json:
        """The claims of a token whose signature and audience are good."""
        keys = KeySet.import_key_set(requests.get(self.metadata["jwks_uri"], timeout=9).json())
        algorithms = self.metadata["id_token_signing_alg_values_supported"]
        claims = dict(jwt.decode(token, keys, algorithms=algorithms).claims)
        registry = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": audience},
        )
        registry.validate(claims)
        return claims

    def told(self, tokens: Json) -> Json:
        """The tokens, and what the ID token says."""
        claims = self.verified(tokens["id_token"], self.asked["client_id"])
        return tokens | {"claims": claims}


def play(device: Device) -> None:
    """The whole flow; raises OAuthError where the server refuses."""
    tell("discovered", metadata=device.metadata)
    authorized = device.authorize()
    tell("authorized", **authorized)
    tokens = device.wait(authorized)
    tell("tokens", **device.told(tokens))
    tell("validated", claims=device.verified(tokens["access_token"], device.issuer))
    tell("userinfo", claims=device.session.get(device.metadata["userinfo_endpoint"]).json())
    endpoint = device.metadata["token_endpoint"]
    fresh = dict(device.session.refresh_token(endpoint, tokens["refresh_token"]))
    tell("refreshed", **device.told(fresh))
    revocation = device.metadata["revocation_endpoint"]
    gone = device.session.revoke_token(
        revocation, token=fresh["refresh_token"], token_type_hint="refresh_token"
    )
    tell("revoked", status=gone.status_code)
    device.session.refresh_token(endpoint, fresh["refresh_token"])


def main() -> None:
    """Say how it ended."""
    # The server under test is on loopback, without TLS.
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    try:
        play(Device(json.loads(sys.argv[1])))
    except OAuthError as error:
        tell("failed", error=error.error, text=str(error))
    else:
        tell("done")


if __name__ == "__main__":
    main()
