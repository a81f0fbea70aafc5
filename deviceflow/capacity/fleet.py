"""A fleet, as an operator describes it: devices, people, and how much room there must be."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Tls = Literal["full", "resumed", "none"]
ProxyPlace = Literal["shared", "own"]


class CapacityError(Exception):
    """The fleet or the costs make no sense. The text says what is wrong and what would be right."""


class Fleet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that the model asks an operator. Times in s, shares from 0 to 1.

    `deviceflow capacity` makes an option of each field: its name, range and description are here.
    """

    devices: Annotated[float, Meta(ge=1, le=1e9, description="Devices of the fleet.")]
    logins_per_day: Annotated[
        float, Meta(ge=0, le=1_000, description="Logins that each device starts in a day.")
    ] = 0.033
    peak_factor: Annotated[
        float,
        Meta(
            ge=1,
            le=1_000,
            description="Logins in the busiest minutes, divided by those of an average minute.",
        ),
    ] = 4.0
    approval_s: Annotated[
        float, Meta(ge=1, le=86_400, description="Median time until a person approves, in s.")
    ] = 60.0
    abandoned: Annotated[
        float, Meta(ge=0, le=1, description="Share of the logins that people do not finish.")
    ] = 0.2
    lifetime: Annotated[
        float, Meta(ge=10, le=86_400, description="Lifetime of a code (device.lifetime_s), in s.")
    ] = 600.0
    waiting: Annotated[
        float,
        Meta(
            ge=0,
            le=1e9,
            description="Devices that wait at the peak, if more than the logins explain. The others"
            " show a code that no person enters, and start over when it expires.",
        ),
    ] = 0.0
    interval: Annotated[
        float, Meta(ge=1, le=3_600, description="Time between two polls, in s.")
    ] = 5.0
    hold: Annotated[
        float, Meta(ge=0, le=600, description="For how long a pending poll is held, in s.")
    ] = 0.0
    kept: Annotated[
        float,
        Meta(ge=0, le=1, description="Share of the devices that poll over a kept connection."),
    ] = 0.5
    tls: Annotated[
        Tls,
        Meta(
            description="TLS handshakes of new connections at nginx: all full, or all resumed."
            " none: TLS ends elsewhere, and no proxy is counted."
        ),
    ] = "full"
    affinity: Annotated[
        bool, Meta(description="Whether the proxy sends a device always to the same host.")
    ] = False
    signed_in: Annotated[
        float, Meta(ge=0, le=1, description="Share of the devices that are signed in.")
    ] = 0.8
    refresh: Annotated[
        float,
        Meta(ge=1, le=31_536_000, description="Time between two refreshes of a device, in s."),
    ] = 3_600.0
    access_token: Annotated[
        float, Meta(ge=1, le=86_400, description="Lifetime of an access token, in s.")
    ] = 3_600.0
    refresh_token_idle: Annotated[
        float,
        Meta(
            ge=1,
            le=315_360_000,
            description="How long the tokens of an unused device are kept, in s.",
        ),
    ] = 2_592_000.0
    opaque: Annotated[
        bool, Meta(description="Whether access tokens are opaque, and so kept in the store.")
    ] = False
    devices_per_person: Annotated[
        float, Meta(ge=0.01, le=1e9, description="Devices for each account in the store.")
    ] = 2.0
    passwords: Annotated[
        float, Meta(ge=0, le=1, description="Share of the approvals that need a password.")
    ] = 0.3
    power_cut: Annotated[
        float, Meta(ge=0, le=1, description="Share of the devices that come back after a cut.")
    ] = 0.1
    power_cut_over: Annotated[
        float,
        Meta(ge=1, le=86_400, description="Time over which they come back and are served, in s."),
    ] = 300.0
    power_cut_logins: Annotated[
        float, Meta(ge=0, le=1, description="Share of those that must sign in again.")
    ] = 0.02
    host_cores: Annotated[
        int, Meta(ge=1, le=512, description="Cores of a host; one worker runs on each.")
    ] = 4
    utilisation: Annotated[
        float,
        Meta(ge=0.05, le=0.95, description="How busy a core may be at the peak, from 0 to 1."),
    ] = 0.6
    spare: Annotated[
        int, Meta(ge=0, le=100, description="Hosts that may be away while the rest carries all.")
    ] = 1
    proxies: Annotated[
        ProxyPlace, Meta(description="Where nginx runs: on the same hosts, or on hosts of its own.")
    ] = "shared"
    store_gb: Annotated[
        float,
        Meta(ge=0.05, le=1_000, description="Memory that one server of the store may use, in GB."),
    ] = 16.0

    def check(self) -> None:
        """Raise CapacityError if two answers contradict each other."""
        if self.interval > self.lifetime:
            raise CapacityError(
                f"interval {self.interval:g} is longer than lifetime {self.lifetime:g}: no device"
                " would poll twice; make the lifetime longer"
            )
        if self.refresh > self.refresh_token_idle:
            raise CapacityError(
                f"refresh {self.refresh:g} is longer than refresh-token-idle"
                f" {self.refresh_token_idle:g}: each device would be signed out before it refreshes"
            )
        if self.waiting > self.devices:
            raise CapacityError(
                f"waiting {self.waiting:g} is more than there are devices ({self.devices:g})"
            )
