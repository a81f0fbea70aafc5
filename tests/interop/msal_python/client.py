# mypy: disable-error-code="import-untyped"
"""A device made with MSAL for Python (`oidc_authority`).

Its argument is one JSON object; it prints a line of JSON for each step (tests/interop/peer.py).
The library insists on https and on an issuer with a path. It does not verify tokens: PyJWT does.
"""

import json
import sys
from typing import Any

import jwt
import requests
from msal import PublicClientApplication

TIMEOUT_S = 20
RESERVED = {"openid", "profile", "offline_access"}
"""The scopes that the library adds by itself, and refuses from its user."""

Json = dict[str, Any]


class RefusedError(Exception):
    """An answer of the library that has an `error`."""


def tell(step: str, **facts: object) -> None:
    """Print one line for the test that listens."""
    print(json.dumps({"step": step} | facts), flush=True)  # noqa: T201, it is the protocol


def accepted(answer: Json) -> Json:
    """Return the answer, unless it is an error."""
    if "error" in answer:
        raise RefusedError(answer["error"])
    return answer


class Device:
    """A public client that knows the issuer and its client id."""

    def __init__(self, asked: Json) -> None:
        self.issuer: str = asked["issuer"]
        self.client_id: str = asked["client_id"]
        self.scopes = sorted({*asked["scope"].split()} - RESERVED)
        address = f"{self.issuer}/.well-known/openid-configuration"
        self.metadata: Json = requests.get(address, timeout=TIMEOUT_S).json()
        self.library = PublicClientApplication(self.client_id, oidc_authority=self.issuer)

    def authorize(self) -> Json:
        """Request the codes."""
        return accepted(self.library.initiate_device_flow(self.scopes))

    def wait(self, codes: Json) -> Json:
        """Poll until there is a decision."""
        return accepted(self.library.acquire_token_by_device_flow(codes))

    def refresh(self) -> Json:
        """Redeem the refresh token that the library keeps for the account that signed in."""
        (account,) = self.library.get_accounts()
        answer = self.library.acquire_token_silent_with_error(
            self.scopes, account, force_refresh=True
        )
        return accepted(answer)

    def refresh_token(self) -> str:
        """Return the refresh token in the library's cache."""
        kinds = self.library.token_cache.CredentialType
        (entry,) = self.library.token_cache.search(kinds.REFRESH_TOKEN)
        return str(entry["secret"])

    def verified(self, token: str, audience: str) -> Json:
        """Return the claims of a token whose signature, issuer and audience are right."""
        key = jwt.PyJWKClient(self.metadata["jwks_uri"]).get_signing_key_from_jwt(token)
        algorithms = self.metadata["id_token_signing_alg_values_supported"]
        claims: Json = jwt.decode(
            token, key, algorithms=algorithms, audience=audience, issuer=self.issuer
        )
        return claims

    def facts(self, tokens: Json) -> Json:
        """Return the tokens, and the claims of the ID token."""
        claims = self.verified(tokens["id_token"], self.client_id)
        kept = {name: tokens[name] for name in ("access_token", "id_token", "scope", "token_type")}
        return kept | {"refresh_token": self.refresh_token(), "claims": claims}


def play(device: Device) -> None:
    """Run the whole flow. May raise RefusedError."""
    tell("discovered", metadata=device.metadata)
    codes = device.authorize()
    tell("authorized", **codes)
    tokens = device.wait(codes)
    tell("tokens", **device.facts(tokens))
    tell("validated", claims=device.verified(tokens["access_token"], device.issuer))
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    endpoint = device.metadata["userinfo_endpoint"]
    tell("userinfo", claims=requests.get(endpoint, headers=bearer, timeout=TIMEOUT_S).json())
    tell("refreshed", **device.facts(device.refresh()))
    form = {"client_id": device.client_id, "token": device.refresh_token()}
    gone = requests.post(device.metadata["revocation_endpoint"], form, timeout=TIMEOUT_S)
    tell("revoked", status=gone.status_code)
    device.refresh()


def main() -> None:
    """Run the flow, and say how it ended."""
    try:
        play(Device(json.loads(sys.argv[1])))
    except RefusedError as error:
        tell("failed", error=str(error))
    else:
        tell("done")


if __name__ == "__main__":
    main()
