"""What a server has answered, and the grants that began with an answer."""

import json
import re
from typing import Any

import msgspec
from multidict import CIMultiDictProxy

from deviceflow.device.client_auth import Credentials

DEFAULT_INTERVAL_S = 5


class SiteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP answer. `members`: its JSON object, or nothing."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    members: dict[str, Any]

    @property
    def error(self) -> str:
        """The OAuth error code (RFC 6749 5.2), empty if there is none."""
        error = self.members.get("error")
        return error if isinstance(error, str) else ""

    @property
    def has_tokens(self) -> bool:
        """Whether it gives an access token."""
        return self.status == 200 and bool(self.members.get("access_token"))  # noqa: PLR2004

    @property
    def summary(self) -> str:
        """Say it in a few words, for a reason."""
        what = "tokens" if self.members.get("access_token") else self.error
        return f"{self.status} {what}".strip() if what else f"{self.status} without an OAuth error"

    @property
    def is_json(self) -> bool:
        """Whether it says that it is JSON."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip() == "application/json"


class Started:
    """One grant at the server: its codes, and when it may be polled next (RFC 8628 3.5)."""

    def __init__(self, answer: SiteAnswer, client: Credentials, now: float) -> None:
        self.answer = answer
        self.client = client
        members = answer.members
        self.device_code = str(members.get("device_code", ""))
        self.user_code = str(members.get("user_code", ""))
        self.verification_uri = str(members.get("verification_uri", ""))
        self.verification_uri_complete: str | None = members.get("verification_uri_complete")
        self.expires_in = seconds_of(members.get("expires_in"), 0)
        self.interval = seconds_of(members.get("interval"), DEFAULT_INTERVAL_S)
        self.began = now
        self.next_poll = now
        self.known_at = now
        """From then on, every process of the server should know what the person has decided."""


def members_of(body: bytes) -> dict[str, Any]:
    """Return the JSON object of an answer, empty if there is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def seconds_of(value: object, otherwise: int) -> int:
    """Return a number of an answer, `otherwise` if it is none."""
    try:
        return int(value)  # type: ignore[call-overload, no-any-return]  # what it cannot is caught
    except (TypeError, ValueError):
        return otherwise


JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*\Z")
"""What a JWT in its compact form looks like (RFC 7515 3.1)."""
