"""A device made with requests-oauthlib, and a resource server made with PyJWT.

What it is asked: the JSON of its argument; what it tells: a line of JSON for each step
(tests/interop/peer.py). The library leaves discovery and the loop of polls to its user.
"""

import json
import os
import sys
import time
from typing import Any
from urllib.parse import quote_plus

import jwt
import requests
from oauthlib.oauth2 import DeviceClient, OAuth2Error
from oauthlib.oauth2.rfc6749.errors import raise_from_error
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

TIMEOUT_S = 20
Json = dict[str, Any]


def tell(step: str, **said: object) -> None:
    """One line for the test that listens."""
    print(json.dumps({"step": step} | said), flush=True)  # noqa: T201, it is the protocol


class Device:
    """Asks, polls, refreshes."""

    def __init__(self, asked: Json) -> None:
        self.asked = asked
        self.issuer: str = asked["issuer"]
        address = f"{self.issuer}/.well-known/openid-configuration"
        self.metadata: Json = requests.get(address, timeout=TIMEOUT_S).json()
        self.client_id: str = asked["client_id"]
        self.secret: str | None = asked.get("client_secret")
        self.session = OAuth2Session(client=DeviceClient(self.client_id))

    @property
    def identity(self) -> Json:
        """How the client says who it is, in the library's words."""
        if self.asked["auth"] == "client_secret_basic":
            # RFC 6749 2.3.1 wants both parts encoded; requests leaves that to its user.
            parts = (quote_plus(self.client_id), quote_plus(self.secret or ""))
            return {"auth": HTTPBasicAuth(*parts)}
        return {"include_client_id": True, "client_secret": self.secret}

    def post(self, endpoint: str, **form: str) -> requests.Response:
        """What the library has no call for."""
        identity = self.identity
        if "auth" not in identity:
            form["client_id"] = self.client_id
            form |= {"client_secret": self.secret} if self.secret else {}
        address = self.metadata[endpoint]
        return requests.post(address, data=form, auth=identity.get("auth"), timeout=TIMEOUT_S)

    def authorize(self) -> Json:
        answer = self.post("device_authorization_endpoint", scope=self.asked["scope"])
        if answer.status_code != requests.codes.ok:
            raise_from_error(answer.json()["error"], {})
        said: Json = answer.json()
        return said

    def wait(self, authorized: Json) -> Json:
        """RFC 8628 3.5."""
        interval = authorized["interval"]
        while True:
            time.sleep(interval)
            try:
                return self.fetch(device_code=authorized["device_code"])
            except OAuth2Error as error:
                if error.error == "slow_down":
                    interval += 5
                elif error.error != "authorization_pending":
                    raise

    def fetch(self, **form: str) -> Json:
        address, asked = self.metadata["token_endpoint"], self.identity | form
        found: Json = self.session.fetch_token(address, timeout=TIMEOUT_S, **asked)
        return found

    def refresh(self) -> Json:
        form: Json = {"auth": self.identity.get("auth")}
        if form["auth"] is None:
            form |= {"client_id": self.client_id}
            form |= {"client_secret": self.secret} if self.secret else {}
        address = self.metadata["token_endpoint"]
        found: Json = self.session.refresh_token(address, timeout=TIMEOUT_S, **form)
        return found

    def told(self, tokens: Json) -> Json:
        """The tokens, and what the ID token says."""
        said = tokens | {"scope": " ".join(tokens["scope"])}
        if "id_token" in tokens:
            said["claims"] = self.verified(tokens["id_token"], self.client_id)
        return said

    def verified(self, token: str, audience: str) -> Json:
        """What PyJWT says of a token (RFC 9068 4; OpenID Connect Core 3.1.3.7)."""
        key = jwt.PyJWKClient(self.metadata["jwks_uri"]).get_signing_key_from_jwt(token)
        algorithms = self.metadata["id_token_signing_alg_values_supported"]
        claims: Json = jwt.decode(
            token, key, algorithms=algorithms, audience=audience, issuer=self.issuer
        )
        return claims


def play(device: Device) -> None:
    """The whole flow; raises OAuth2Error where the server refuses."""
    tell("discovered", metadata=device.metadata)
    if device.asked.get("only_discover"):
        return
    authorized = device.authorize()
    tell("authorized", **authorized)
    tokens = device.wait(authorized)
    tell("tokens", **device.told(tokens))
    tell("validated", claims=device.verified(tokens["access_token"], device.issuer))
    if "openid" in tokens["scope"]:
        tell("userinfo", claims=device.session.get(device.metadata["userinfo_endpoint"]).json())
    if "refresh_token" not in tokens:
        return
    tell("refreshed", **device.told(device.refresh()))
    gone = device.post("revocation_endpoint", token=device.session.token["refresh_token"])
    tell("revoked", status=gone.status_code)
    device.refresh()


def main() -> None:
    """Say how it ended."""
    # The server under test is on loopback, without TLS.
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
    try:
        play(Device(json.loads(sys.argv[1])))
    except OAuth2Error as error:
        tell("failed", error=error.error, text=str(error))
    else:
        tell("done")


if __name__ == "__main__":
    main()
