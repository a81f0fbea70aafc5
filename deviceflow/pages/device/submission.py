"""A code that a person has sent, and the request of a device that it leads to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from deviceflow.core.client import Client
from deviceflow.core.clients import Clients
from deviceflow.pages.codes import Codes
from deviceflow.pages.texts import language
from deviceflow.pages.visitor import Person, Visitor
from deviceflow.store.grant_records import DecisionPage, Grant
from deviceflow.store.grants import Grants

SCOPE_BOX = "scope."
"""What the name of a box begins with. Each has its own name: a form repeats no field."""


class Choice(NamedTuple):
    """What a form says of optional scopes.

    `offered`: those that its page showed, space separated; `chosen`: those whose box is ticked.
    """

    offered: str = ""
    chosen: frozenset[str] = frozenset()

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> "Choice":
        """Read the fields of a form."""
        boxes = (name for name in fields if name.startswith(SCOPE_BOX))
        return cls(
            offered=fields.get("optional_scopes", ""),
            chosen=frozenset(name.removeprefix(SCOPE_BOX) for name in boxes),
        )


NO_CHOICE = Choice()


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A code from a signed-in person. `text`: the code as it was typed.

    `is_filled_in`: it came from a link or a QR code, and the person only pressed the button.
    `is_proven`: the browser has done a proof of work for it.
    `retyped`: the code once more, where the device is far away and the client wants that.
    """

    visitor: Visitor
    person: Person
    text: str
    is_filled_in: bool = False
    is_proven: bool = False
    choice: Choice = NO_CHOICE
    retyped: str = ""

    @property
    def sub(self) -> str:
        """The account's subject: claims and guesses are counted by it."""
        return self.person.account.sub

    @property
    def page(self) -> DecisionPage:
        """The page that the person sees, for a decision."""
        return DecisionPage(self.visitor.address, language().tag)


@dataclass(frozen=True, kw_only=True)
class DeviceRequest:
    """A device's request that waits for a person. `code`: the user code, as the store has it.

    `enabled_client`: the client, None if it is unknown, switched off or barred from this grant.
    """

    code: str
    grant: Grant
    client: Client | None
    enabled_client: Client | None


@dataclass(frozen=True, kw_only=True)
class DeviceRequests:
    """Finds requests by their codes. May raise `StoreUnavailable`.

    `enabled_by_default`: whether clients may use the grant that do not say so themselves.
    """

    codes: Codes
    clients: Clients
    grants: Grants
    enabled_by_default: bool

    async def find(self, text: str) -> DeviceRequest | None:
        """Find the request that the code in `text` belongs to. A look-up is a guess: count it."""
        for code in self.codes.read(text):
            grant = await self.grants.find(code)
            if grant is not None:
                return self._request(code, grant)
        return None

    async def own(self, submission: Submission) -> DeviceRequest | None:
        """Find the request in which this account has been the first, also shortly after its end.

        This is no guess, and need not be counted: of a request that the account has not claimed it
        tells nothing, not even that there is one.
        """
        for code in self.codes.read(submission.text):
            grant = await self.grants.recall(code)
            if grant is not None and grant.claimed_by == submission.sub:
                return self._request(code, grant)
        return None

    def show(self, device_request: DeviceRequest) -> str:
        """Write the code as it is shown on the device, for an address or a page."""
        client = device_request.client
        code = device_request.code
        return self.codes.carry(code) if client is None else self.codes.show(code, client)

    def _request(self, code: str, grant: Grant) -> DeviceRequest:
        client = self.clients.find(grant.client_id)
        is_enabled = (
            client is not None
            and client.enabled
            and client.uses_device_grant(by_default=self.enabled_by_default)
        )
        enabled = client if is_enabled else None
        return DeviceRequest(code=code, grant=grant, client=client, enabled_client=enabled)
