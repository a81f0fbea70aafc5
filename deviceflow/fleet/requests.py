"""The requests of devices, as bytes. They are made once, and each is written in one piece."""

from urllib.parse import SplitResult, urlencode

from deviceflow.conformance.endpoints import Endpoints
from deviceflow.core.messages import DEVICE_CODE_GRANT
from deviceflow.device.address import split_url
from deviceflow.device.client_auth import Credentials


class Requests:
    """What the devices of one client send to one server. May raise InsecureAddressError."""

    def __init__(
        self, endpoints: Endpoints, credentials: Credentials, scope: str, user_agent: str
    ) -> None:
        self.authorization_at = split_url(
            endpoints.device_authorization, "device authorization endpoint"
        )
        self.token_at = split_url(endpoints.token, "token endpoint")
        headers, self._fields = credentials.apply(endpoints.client_methods)
        self._headers = {
            "User-Agent": user_agent,
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
            **headers,
        }
        self._scope = {"scope": scope} if scope else {}

    def authorization(self, *, closes: bool) -> bytes:
        """Make a device authorization request (RFC 8628 3.1)."""
        return self._post(self.authorization_at, {**self._fields, **self._scope}, closes=closes)

    def poll(self, device_code: str, *, closes: bool, wait: int = 0) -> bytes:
        """Make a token request of a device (RFC 8628 3.4). `wait`: the N of `Prefer: wait=N`."""
        form = {"grant_type": DEVICE_CODE_GRANT, **self._fields, "device_code": device_code}
        return self._post(self.token_at, form, closes=closes, wait=wait)

    def refresh(self, refresh_token: str, *, closes: bool) -> bytes:
        """Make a refresh (RFC 6749 6)."""
        form = {
            "grant_type": "refresh_token",
            **self._fields,
            "refresh_token": refresh_token,
        }
        return self._post(self.token_at, form, closes=closes)

    def _post(
        self, address: SplitResult, form: dict[str, str], *, closes: bool, wait: int = 0
    ) -> bytes:
        body = urlencode(form)
        headers = {
            "Host": address.netloc,
            **self._headers,
            "Content-Length": str(len(body)),
            **({"Prefer": f"wait={wait}"} if wait else {}),
            **({"Connection": "close"} if closes else {}),
        }
        target = (address.path or "/") + (f"?{address.query}" if address.query else "")
        lines = (f"POST {target} HTTP/1.1", *(f"{name}: {text}" for name, text in headers.items()))
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
