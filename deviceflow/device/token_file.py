"""The file in which a device keeps the tokens of one login.

- Only its user can read it: its mode is 0600, in a folder of mode 0700. A file that others can read
  or that is another user's is refused.
- It is replaced in one step (write, fsync, rename), so that it has either the old tokens or the new
  ones, whenever the power fails.
- A lock beside it lets one process at a time refresh. It ends with the process that holds it.
- The tokens may be in the system's keyring. Then the file only says so.
"""

import asyncio
import errno
import fcntl
import os
import stat
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from deviceflow.device import keyring_entry
from deviceflow.device.answers import Tokens
from deviceflow.device.errors import TokenFileError

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_LOCK_PAUSE_S: Final = 0.1
_SUFFIX: Final = ".json"
_NAME_CHARS: Final = 40
_ELSEWHERE: Final = Tokens(access_token="", token_type="")


class KeptTokens(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the file. `scope` is the scope that was requested.

    `obtained_at`: when the tokens came, in seconds since 1970 by the clock of this machine.
    `in_keyring`: the tokens are in the keyring, and those of the file are empty.
    """

    issuer: str
    client_id: str
    scope: str
    obtained_at: float
    tokens: Tokens
    in_keyring: bool = False

    def __repr__(self) -> str:
        return f"KeptTokens(issuer={self.issuer!r}, client_id={self.client_id!r}, ...)"


def default_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return `deviceflow/logins` below XDG_STATE_HOME or ~/.local/state.

    May raise TokenFileError: the user has no home directory.
    """
    # The XDG Base Directory Specification has relative paths ignored.
    state = Path(environ.get("XDG_STATE_HOME", ""))
    if state.is_absolute():
        return state / "deviceflow" / "logins"
    try:
        return Path.home() / ".local" / "state" / "deviceflow" / "logins"
    except RuntimeError as error:
        raise TokenFileError(
            "There is no home directory to keep tokens in. Set XDG_STATE_HOME."
        ) from error


class TokenFile:
    """The file of one login. Files of other issuers, clients and scopes have other names."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, issuer: str, client_id: str, scope: str, folder: Path | None = None) -> "TokenFile":
        """Return the file of a login in `folder`, or in the default folder.

        The order of the scopes does not matter. May raise TokenFileError.
        """
        login = msgspec.json.encode([issuer, client_id, sorted(set(scope.split()))])
        shown = "".join(c if c.isascii() and c.isalnum() else "-" for c in client_id)
        name = f"{shown[:_NAME_CHARS]}-{sha256(login).hexdigest()[:24]}{_SUFFIX}"
        return cls((folder or default_folder()) / name)

    def read(self) -> KeptTokens | None:
        """Return the kept tokens, or None if there are none. May raise TokenFileError."""
        kept = self._read_file()
        if kept is None or not kept.in_keyring:
            return kept
        content = keyring_entry.read(self.path.stem)
        return None if content is None else self._decoded(content)

    def _read_file(self) -> KeptTokens | None:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(self.path, error) from error
        with open(descriptor, "rb") as file:  # noqa: PTH123, of a descriptor
            _check_owner_only(self.path, os.fstat(descriptor), _OTHERS, "chmod 600")
            return self._decoded(file.read())

    def _decoded(self, content: bytes) -> KeptTokens:
        try:
            return msgspec.json.decode(content, type=KeptTokens)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise TokenFileError(
                f"{self.path} is not a file of kept tokens: {error}. Remove it and sign in again."
            ) from error

    def write(self, kept: KeptTokens) -> None:
        """Replace the file, and return when it is on the disk. May raise TokenFileError."""
        if kept.in_keyring:
            keyring_entry.write(self.path.stem, msgspec.json.encode(kept))
            kept = msgspec.structs.replace(kept, tokens=_ELSEWHERE)
        is_left = not kept.in_keyring and self._leads_to_keyring()
        new = self.path.with_suffix(".new")
        with _described(self.path):
            self._make_folder()
            with suppress(FileNotFoundError):
                new.unlink()  # of a process that was killed here
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with open(os.open(new, flags, 0o600), "wb") as file:  # noqa: PTH123, of a descriptor
                file.write(msgspec.json.encode(kept))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
            self._sync_folder()
        if is_left:
            keyring_entry.remove(self.path.stem)

    def _leads_to_keyring(self) -> bool:
        try:
            kept = self._read_file()
        except TokenFileError:
            return False  # it is replaced or removed, whatever it is
        return kept is not None and kept.in_keyring

    def remove(self) -> None:
        """Remove the file, and its entry in the keyring, if there are any.

        May raise TokenFileError.
        """
        if self._leads_to_keyring():
            keyring_entry.remove(self.path.stem)
        with _described(self.path):
            self.path.unlink(missing_ok=True)

    def prepare(self, *, in_keyring: bool = False) -> None:
        """Make the folder, so that a bad one shows before a person signs in; or a bad keyring.

        May raise TokenFileError.
        """
        if in_keyring:
            keyring_entry.read(self.path.stem)
        with _described(self.path):
            self._make_folder()

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Keep other processes, and other tasks of this one, from the file.

        Wait for the lock without an end: its holder gives it back, or the system does when the
        holder dies. May raise TokenFileError.
        """
        path = self.path.with_suffix(".lock")
        self.prepare()
        with _described(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            while not _locks(descriptor, path):  # noqa: ASYNC110 - other processes hold it, too
                await asyncio.sleep(_LOCK_PAUSE_S)
            yield
        finally:
            os.close(descriptor)

    def _make_folder(self) -> None:
        folder = self.path.parent
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        # A user who can write there could put another file in the place of this one.
        _check_owner_only(folder, folder.stat(), _OTHERS_WRITE, "chmod 700")

    def _sync_folder(self) -> None:
        descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def kept_in(folder: Path, issuer: str, client_id: str) -> Iterator[tuple[TokenFile, KeptTokens]]:
    """Yield all logins of a client at an issuer. May raise TokenFileError."""
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        file = TokenFile(path)
        kept = file.read()
        if kept is not None and (kept.issuer, kept.client_id) == (issuer, client_id):
            yield file, kept


def _check_owner_only(path: Path, found: os.stat_result, mode: int, remedy: str) -> None:
    if found.st_uid != os.geteuid():
        raise TokenFileError(f"{path} belongs to another user. Tokens are not kept there.")
    if found.st_mode & mode:
        raise TokenFileError(
            f"Other users of this machine can reach {path} "
            f"(mode {stat.S_IMODE(found.st_mode):04o}). If they have not, run: {remedy} '{path}'"
        )


def _locks(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _unusable(path, error) from error
    return True


@contextmanager
def _described(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> TokenFileError:
    if error.errno == errno.ELOOP:
        return TokenFileError(f"{path} is a symbolic link. Tokens are not kept behind links.")
    if error.errno == errno.EEXIST:
        return TokenFileError(f"The tokens cannot be kept in {path}: a file is in the way.")
    reason = (os.strerror(error.errno) if error.errno else str(error)).lower()
    return TokenFileError(f"The tokens cannot be kept in {path}: {reason}.")
