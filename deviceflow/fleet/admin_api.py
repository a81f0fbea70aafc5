"""Decisions by the API of operators (docs/operations/admin-api.md), without any page or password.

It is the way to hundreds of decisions a second, and to a server without people.
"""

from typing import Any
from zlib import crc32

import aiohttp

from deviceflow.conformance.decisions import ToDecide, Undecided
from deviceflow.device.address import split_url
from deviceflow.device.answers import INTERNAL_ERROR, OK, TOO_MANY_REQUESTS, printable
from deviceflow.fleet.crowd import NotNow

PEOPLE = 10_000
"""How many people decide. A code always leads to the same person, so a decision that is sent again
is the same."""

TIMEOUT_S = 15.0
CONNECTIONS = 32

_API = "/api/v1"


class AdminApi:
    """People whose decisions the API takes. Each decides for a few devices.

    `base`: the address of the admin port. May raise InsecureAddressError.
    """

    can_guess = False

    def __init__(self, base: str, token: str) -> None:
        split_url(base, "address of the admin API")
        self._base, self._token = base.rstrip("/") + _API, token
        self._session: aiohttp.ClientSession | None = None

    async def decide(self, grant: ToDecide) -> None:
        """Find the grant, and decide it. May raise Undecided."""
        grant_id = await self.find(grant.user_code)
        person = f"fleet-{crc32(grant.user_code.encode()) % PEOPLE}"
        body = {"sub": person}
        if grant.choice == "approve":
            body["username"] = person
        await self._post(f"/grants/{grant_id}/{grant.choice}", body)

    async def find(self, user_code: str) -> str:
        """Return the id of a grant. May raise Undecided."""
        return str((await self._post("/grants/find", {"user_code": user_code})).get("id"))

    async def close(self) -> None:
        """Close the connections. Another decision opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _post(self, path: str, body: dict[str, str]) -> dict[str, Any]:
        session = self._session = self._session or self._open()
        try:
            async with session.post(self._base + path, json=body) as response:
                return await _object_of(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotNow(f"the admin API gives no answer ({type(error).__name__})") from error

    def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._token}"},
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
        )


async def _object_of(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """Read an answer. May raise Undecided, or aiohttp's errors."""
    status = response.status
    if status == TOO_MANY_REQUESTS or status >= INTERNAL_ERROR:
        raise NotNow(f"the admin API answers {status}")
    try:
        answer = await response.json(content_type=None)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Undecided(f"the admin API answers {status}, no JSON object")
    if status != OK:
        raise Undecided(f"the admin API answers {status} {printable(str(answer.get('error')))}")
    return answer
