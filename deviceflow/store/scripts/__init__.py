"""The Lua scripts: one function for each, whose signature is the script's contract.

Only this package runs scripts. A function takes the keys that its script touches, and they are
all in one hash slot (`keyspace`). Every function may raise StoreUnavailable: then the
script may or may not have run. redis-py repeats a command whose answer was lost, so each
function says what a repetition does.
"""

from deviceflow.store.scripts.devices import (
    DeviceKeys,
    DeviceListing,
    DeviceState,
    list_device,
    read_device,
)
from deviceflow.store.scripts.families import Rotation, RotationKeys, Use, rotate_refresh_token
from deviceflow.store.scripts.fields import change_field
from deviceflow.store.scripts.grants import (
    NO_APPROVAL,
    ApprovalWrites,
    NewGrant,
    RedemptionWrites,
    SlotCounts,
    Transition,
    create_grant,
    create_grants,
    repeat_redemption,
    take_slots,
    transition,
)
from deviceflow.store.scripts.installation import (
    ClientKeys,
    ClientVersion,
    NameMending,
    add_signing_key,
    change_installation,
    change_named_client,
    install,
    mark_account,
    mend_client_names,
    note_client,
)
from deviceflow.store.scripts.limits import StartTimes, admit_starts, forgive, hit, take
from deviceflow.store.scripts.transfer import KeyRead, read_key

__all__ = [
    "NO_APPROVAL",
    "ApprovalWrites",
    "ClientKeys",
    "ClientVersion",
    "DeviceKeys",
    "DeviceListing",
    "DeviceState",
    "KeyRead",
    "NameMending",
    "NewGrant",
    "RedemptionWrites",
    "Rotation",
    "RotationKeys",
    "SlotCounts",
    "StartTimes",
    "Transition",
    "Use",
    "add_signing_key",
    "admit_starts",
    "change_field",
    "change_installation",
    "change_named_client",
    "create_grant",
    "create_grants",
    "forgive",
    "hit",
    "install",
    "list_device",
    "mark_account",
    "mend_client_names",
    "note_client",
    "read_device",
    "read_key",
    "repeat_redemption",
    "rotate_refresh_token",
    "take",
    "take_slots",
    "transition",
]
