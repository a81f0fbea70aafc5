"""The account of a user: its record in the store, or what the configuration file says of it."""

from hashlib import blake2b
from typing import Literal

import msgspec

from deviceflow.config import User
from deviceflow.core import base64url
from deviceflow.core.account_marks import NO_MARKS, AccountMarks
from deviceflow.core.claims import Subject
from deviceflow.core.upstream_person import UpstreamSubject
from deviceflow.store.errors import RecordUnreadable
from deviceflow.store.records import RecordKind, read_record, write_record
from deviceflow.store.sessions import Session

NO_PASSWORD = ""
"""The hash of a user who cannot sign in with a password: no password has it."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person who can sign in. `sub`: the subject in tokens, which never changes.

    `password_hash`: empty for a person without a password. `upstream`: the people at providers as
    whom the person signs in (`links`). `marks`: what has been ended; stored beside the record.
    """

    username: str
    sub: str
    password_hash: str
    name: str | None = None
    email: str | None = None
    disabled: bool = False
    source: Literal["file", "store"] = "store"
    upstream: tuple[UpstreamSubject, ...] = ()
    marks: AccountMarks = NO_MARKS

    @property
    def file_credential(self) -> str:
        """What a session of a file's user keeps: it ends when the password in the file changes.

        Empty for a user of the store: a command has changed that password, and set a mark.
        """
        if self.source == "store":
            return ""
        digest = blake2b(self.password_hash.encode(), digest_size=9, person=b"df-file-cred")
        return base64url.encode(digest.digest())

    def allows_session(self, session: Session) -> bool:
        """Return whether a session still signs the person in."""
        is_same = self.sub == session.sub and not self.disabled
        # One side is empty for a user of the store, and in a session of an older version.
        own, noted = self.file_credential, session.credential
        has_same_password = not own or not noted or own == noted
        is_good = self.marks.allow_session(session.mark, session.auth_time)
        return is_same and has_same_password and is_good

    def allows(self, subject: Subject) -> bool:
        """Return whether what the person approved as `subject` still gives access."""
        is_same = self.sub == subject.sub and not self.disabled
        return is_same and self.marks.allow_device(subject.mark, subject.auth_time)


def account_of_file(user: User) -> Account:
    """Return the account of a user of the configuration file."""
    return Account(
        username=user.username,
        sub=user.sub or new_subject(user.username),
        password_hash=user.password_hash,
        name=user.name,
        email=user.email,
        disabled=user.disabled,
        source="file",
    )


def new_subject(username: str) -> str:
    """Return a subject for a user of the file: stable, and distinct from all client ids."""
    digest = blake2b(username.encode(), digest_size=12, person=b"df-subject").hexdigest()
    return f"user_{digest}"


def read_account(record: bytes) -> Account:
    """Read a record. May raise RecordUnreadable, with a line for the operator."""
    try:
        return read_record(record, RecordKind.USER, Account)
    except RecordUnreadable as error:
        raise RecordUnreadable(
            f"the record of a user cannot be read: {error}. To go on, run the version that wrote it"
        ) from error


def as_stored(account: Account) -> Account:
    """Return an account as its record has it."""
    return msgspec.structs.replace(account, source="store", marks=NO_MARKS)


def account_record(account: Account, over: bytes = b"") -> bytes:
    """Return the record of an account. `over`: the record in whose place it will be stored."""
    return write_record(as_stored(account), over=over, without={"marks"})
