"""The user of the system who gave a command, as the audit names one."""

import os
import pwd

from deviceflow.audit.events import by_user


def system_user(uid: int | None = None) -> str:
    """Name the user who runs this process, or the one of `uid`.

    With sudo, `SUDO_USER` says who that was before.
    """
    number = os.getuid() if uid is None else uid
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = str(number)
    before = os.environ.get("SUDO_USER", "") if uid is None else ""
    return by_user(f"{name} (sudo by {before})" if before else name)
