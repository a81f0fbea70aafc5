"""What holds for the grants of one client: its own rules, or else those of `[phishing]`.

An attacker starts a request on a device of their own and has a person approve it (RFC 8628 5.4).
These rules say who may take part, from where, and how surely the person is the right one. They
are data; the endpoint for devices and the pages carry them out.
"""

from dataclasses import dataclass
from typing import NamedTuple

from deviceflow.config import Settings
from deviceflow.core.address import is_in_networks
from deviceflow.core.assurance import SignInMinimum
from deviceflow.core.client import Client
from deviceflow.core.clients import Clients
from deviceflow.core.proximity import Distance, FarAnswer

STEP_UP_AGE_S = 300
"""How old a sign-in may be that is asked for because the device is far away."""


class ClientRules(NamedTuple):
    """The rules of one client. The networks are empty for everywhere.

    `uses_device_grant`: whether it may use this grant at all. `max_approvals_per_hour`: of one
    person and this client; None for any number.
    """

    uses_device_grant: bool
    start_networks: tuple[str, ...]
    approval_networks: tuple[str, ...]
    near: Distance
    if_far: FarAnswer
    sign_in: SignInMinimum
    max_sign_in_age_s: int | None
    max_approvals_per_hour: int | None
    must_type: bool

    def may_start(self, address: str) -> bool:
        """Return whether a device at `address` may ask for a code."""
        return not self.start_networks or is_in_networks(address, self.start_networks)

    def may_approve(self, address: str) -> bool:
        """Return whether a person at `address` may approve."""
        return not self.approval_networks or is_in_networks(address, self.approval_networks)

    def stepped_up(self) -> "ClientRules":
        """Return the rules for a device that is too far away for a sign-in as usual."""
        minimum = "second_factor" if self.sign_in == "any" else self.sign_in
        age_s = min(self.max_sign_in_age_s or STEP_UP_AGE_S, STEP_UP_AGE_S)
        return self._replace(sign_in=minimum, max_sign_in_age_s=age_s)


def rules_of(client: Client, settings: Settings) -> ClientRules:
    """Return the rules of a client. What it says itself replaces what `[phishing]` says."""
    device, general = settings.device, settings.phishing
    has_complete = client.verification_uri_complete
    if has_complete is None:
        has_complete = device.verification_uri_complete
    return ClientRules(
        uses_device_grant=client.uses_device_grant(by_default=device.enabled_by_default),
        start_networks=client.start_networks or general.start_networks,
        approval_networks=client.approval_networks or general.approval_networks,
        near=client.near or general.near,
        if_far=client.if_far or general.if_far,
        sign_in=client.sign_in or general.sign_in,
        max_sign_in_age_s=client.max_sign_in_age_s or general.max_sign_in_age_s,
        max_approvals_per_hour=client.max_approvals_per_hour,
        must_type=not has_complete,
    )


@dataclass(frozen=True, kw_only=True)
class CodeLinks:
    """Whether any client's codes come in links (RFC 8628 3.3.1). Without, no link fills a form."""

    settings: Settings
    clients: Clients

    @property
    def are_used(self) -> bool:
        """Whether a code in a link can belong to a client that allows it."""
        if self.settings.device.verification_uri_complete:
            return True
        return any(client.verification_uri_complete for client in self.clients)
