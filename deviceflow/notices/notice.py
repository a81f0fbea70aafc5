"""What a notice says."""

import msgspec


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A device has received its first tokens. Times in s.

    `email`: of the person, None if there is none. `grant_id`: the id that its tokens share.
    `device`: a stored `DeviceDescription`. `address`: where the device asked. `language`: the tag
    (RFC 5646) of the page on which the person approved, or else of the settings' default.
    """

    sub: str
    username: str
    email: str | None
    grant_id: str
    client_id: str
    client_name: str
    scope: str
    device: str
    address: str
    connected_at: int
    language: str


class NoticeNotSent(Exception):  # noqa: N818, it states a condition, not a mistake
    """A channel could not send a notice. The text says why, and has no secret in it.

    `is_final`: another try would not help.
    """

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final
