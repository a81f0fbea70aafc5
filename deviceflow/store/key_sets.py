"""The keys of an installation, and the fields of the hash in which they are stored.

Version 1 of the record has a field for each key, as it is. Version 2 has them all in one field,
sealed by the envelope key or as they are. It is written where version 1 cannot say it, so a host of
an older version does not start on keys that it would misread (docs/decisions/0043).
"""

import secrets
from collections.abc import Mapping

import msgspec

from deviceflow.core.device_code import KEY_BYTES
from deviceflow.store.envelope import NO_ENVELOPE, Envelope, is_sealed
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.records import RecordKind, check_fields

_VERSION = 2

KEYS_IN_SET = 3

SET_KEPT_S = 86_400
"""How long a set is kept after its end, so that its device codes are known to have expired."""

_PURPOSE = "installation"
_FIELDS = {b"v", b"epoch", b"keys", b"device_code_key", b"name_key", b"challenge_key"}


class KeySet(msgspec.Struct, frozen=True, kw_only=True):
    """The keys that are made, and replaced, together: 32 random bytes each.

    `id`: the key id in device codes, 0 to 255. `device_code`: of device codes. `name`: of hidden
    names, derived secrets and encryption. `challenge`: of what clients send back. `since`: when
    they begin to make things, in s. `until`: when these end, 0 while they have no successor.
    """

    id: int
    device_code: bytes
    name: bytes
    challenge: bytes
    since: int = 0
    until: int = 0

    def serves(self, now: float) -> bool:
        """Return whether what was made with them is still good."""
        return not self.until or now < self.until


class InstallationKeys(msgspec.Struct, frozen=True, kw_only=True):
    """All keys of an installation: `sets`, the newest first. `epoch`: its name, no secret.

    `lasting`: the key of the names that no rotation changes.
    """

    epoch: bytes
    lasting: bytes
    sets: tuple[KeySet, ...]

    def current(self, now: float) -> KeySet:
        """Return the keys with which something is made now."""
        if len(self.sets) == 1:
            return self.sets[0]
        return next((each for each in self.sets if each.since <= now), self.sets[-1])

    def rotated(self, since: int, overlap_s: int) -> "InstallationKeys":
        """Return the same with a new set, that serves from `since` on.

        The others serve for `overlap_s` longer at most. Sets that ended long ago are left out.
        """
        until = since + overlap_s
        older = [
            msgspec.structs.replace(each, until=min(each.until or until, until))
            for each in self.sets
            if each.serves(since - SET_KEPT_S)
        ]
        free = [number for number in range(256) if number not in {each.id for each in older}]
        newest = msgspec.structs.replace(new_set(secrets.choice(free)), since=since)
        return msgspec.structs.replace(self, sets=(newest, *older))


def new_keys() -> InstallationKeys:
    """Make the keys of a new installation."""
    epoch = secrets.token_bytes(KEY_BYTES)
    first = new_set(epoch[0])
    return InstallationKeys(epoch=epoch, lasting=first.name, sets=(first,))


def new_set(key_id: int) -> KeySet:
    """Make a set of keys."""
    device_code, name, challenge = (secrets.token_bytes(KEY_BYTES) for _ in range(KEYS_IN_SET))
    return KeySet(id=key_id, device_code=device_code, name=name, challenge=challenge)


def key_fields_of(keys: InstallationKeys, envelope: Envelope = NO_ENVELOPE) -> dict[bytes, bytes]:
    """Return the fields of the hash, sealed if the envelope has a key."""
    (newest, *older) = keys.sets
    is_first = newest.id == keys.epoch[0] and newest.name == keys.lasting
    if is_first and not older and not envelope.can_seal:
        return {
            b"epoch": keys.epoch,
            b"device_code_key": newest.device_code,
            b"name_key": newest.name,
            b"challenge_key": newest.challenge,
        }
    text = msgspec.json.encode(keys)
    sealed = envelope.seal(_PURPOSE, text) if envelope.can_seal else text
    return {b"epoch": keys.epoch, b"v": b"%d" % _VERSION, b"keys": sealed}


def keys_in_fields(fields: Mapping[bytes, bytes], envelope: Envelope) -> InstallationKeys:
    """Return the keys in a hash. May raise RecordUnreadable, which may be an EnvelopeError."""
    check_fields(fields, RecordKind.INSTALLATION)
    try:
        epoch = fields[b"epoch"]
        if b"keys" in fields:
            text = fields[b"keys"]
            opened = envelope.open(_PURPOSE, text) if is_sealed(text) else text
            keys = msgspec.json.decode(opened, type=InstallationKeys)
            if keys.epoch != epoch:
                raise RecordUnreadable("the keys are those of another installation")
            return keys
        only = KeySet(
            id=epoch[0],
            device_code=fields[b"device_code_key"],
            name=fields[b"name_key"],
            challenge=fields[b"challenge_key"],
        )
        return InstallationKeys(epoch=epoch, lasting=only.name, sets=(only,))
    except (KeyError, IndexError, ValueError, RecursionError) as error:
        raise RecordUnreadable(f"a key is missing or damaged: {type(error).__name__}") from error


def unknown_fields(fields: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return what a later version has added to the hash, and a change must keep."""
    return {name: value for name, value in fields.items() if name not in _FIELDS}


def are_sealed(fields: Mapping[bytes, bytes]) -> bool:
    """Return whether the keys in a hash are sealed."""
    return is_sealed(fields.get(b"keys", b""))
