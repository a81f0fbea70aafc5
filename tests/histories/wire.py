"""What processes of a run send to the servers, and how they note that an answer did not come."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from aiohttp import ClientError, ClientSession, ClientTimeout

from deviceflow.core import base64url
from tests.histories.history import History, Operation, Outcome
from tests.stage.admin import TOKEN

ANSWER_S = 6.0
"""How long a process waits for an answer. A held poll may take longer by its wait."""

TITLE = re.compile(r"<h1>([^<]*)</h1>")


class Reply(NamedTuple):
    """An answer. `body`: the JSON, {} for a page. `page`: the text."""

    status: int
    body: dict[str, Any]
    page: str
    location: str

    @property
    def title(self) -> str:
        """The heading of a page."""
        found = TITLE.search(self.page)
        return found[1] if found else ""


@dataclass(frozen=True)
class Wire:
    """The servers, as the processes of a run reach them.

    `front`: the address of all of them; `desks`: the addresses of the operators' API, one each.
    """

    session: ClientSession
    history: History
    front: str
    desks: tuple[str, ...]

    async def post(
        self,
        operation: Operation,
        path: str,
        form: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        wait_s: float = 0.0,
    ) -> Reply | None:
        """Send a form. None if the answer tells nothing: the operation says why."""
        return await self._send(
            operation,
            "POST",
            f"{self.front}{path}",
            data=dict(form),
            headers=dict(headers or {}),
            timeout=ClientTimeout(total=ANSWER_S + wait_s),
        )

    async def page(
        self, operation: Operation, path: str, headers: Mapping[str, str]
    ) -> Reply | None:
        """Open a page."""
        return await self._send(operation, "GET", f"{self.front}{path}", headers=dict(headers))

    async def order(
        self, operation: Operation, desk: int, path: str, body: Mapping[str, str] | None = None
    ) -> Reply | None:
        """Send an operator's request to the server number `desk`."""
        return await self._send(
            operation,
            "POST",
            f"{self.desks[desk % len(self.desks)]}{path}",
            json=dict(body or {}),
            headers={"Authorization": f"Bearer {TOKEN}"},
        )

    async def _send(
        self,
        operation: Operation,
        method: str,
        url: str,
        **options: Any,  # noqa: ANN401, aiohttp's
    ) -> Reply | None:
        options.setdefault("timeout", ClientTimeout(total=ANSWER_S))
        try:
            async with self.session.request(
                method, url, allow_redirects=False, **options
            ) as response:
                text = await response.text()
                is_json = response.content_type.endswith("json") and bool(text)
                reply = Reply(
                    response.status,
                    json.loads(text) if is_json else {},
                    "" if is_json else text,
                    response.headers.get("Location", ""),
                )
        except (TimeoutError, ClientError, OSError) as error:
            operation.result = {"error": type(error).__name__}
            return None
        if reply.status >= 500:
            operation.result = {"status": reply.status}
            return None
        return reply


def claims_of(access_token: str) -> dict[str, Any]:
    """Return the claims of a JWT, unverified."""
    claims: dict[str, Any] = json.loads(base64url.decode(access_token.split(".")[1]))
    return claims


def acknowledge(operation: Operation, reply: Reply | None) -> bool:
    """Note an answer of the operators' API; return whether the operation is acknowledged."""
    if reply is not None:
        operation.outcome = Outcome.DONE if reply.status == 200 else Outcome.REFUSED
        if reply.status != 200:
            operation.result = {"error": reply.body.get("error", reply.status)}
    return operation.is_done
