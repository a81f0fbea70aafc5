"""When a person's sessions, or devices, were last ended all at once.

An account has a mark for each. A session, and the approval of a device, carry the mark that the
account had when it was read for them. They are good while the account has no later one. So no clock
decides, and a sign-in that began before the mark and ends after it is refused, too.

What an older version has stored carries no mark: then the time of the sign-in decides. An access
token carries none either, because APIs read it: the time at which it was issued decides.
"""

import msgspec

_MS = 1000


class AccountMarks(msgspec.Struct, frozen=True):
    """The marks of an account, in ms by the store's clock; each later one is higher. 0: none."""

    sessions: int = 0
    devices: int = 0

    def allow_session(self, mark: int | None, auth_time: int) -> bool:
        """Return whether a session with that mark goes on. `auth_time`: of its sign-in (s)."""
        return _is_good(self.sessions, mark, auth_time)

    def allow_device(self, mark: int | None, auth_time: int) -> bool:
        """Return whether an approval with that mark is good. `auth_time`: of its person (s)."""
        return _is_good(self.devices, mark, auth_time)

    def allow_token(self, issued_at: int) -> bool:
        """Return whether an access token of that time (s, by a host's clock) may be used.

        Whole seconds are compared, so one of the second before the mark may pass. The mark of its
        device ends that one (`Families.revoke`).
        """
        return issued_at >= self.devices // _MS


NO_MARKS = AccountMarks()


def _is_good(latest: int, mark: int | None, auth_time: int) -> bool:
    return auth_time * _MS >= latest if mark is None else mark >= latest
