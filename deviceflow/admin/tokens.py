"""The bearer tokens of operators: a file with one a line."""

import os
import stat
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Self

LEAST_CHARACTERS = 32
"""32 hexadecimal digits have 128 bits: no number of guesses finds such a token."""

MOST_TOKENS = 100

_NAME_CHARACTERS = 8


class AdminTokensError(Exception):
    """A file that cannot be used. The text is a line for the operator, without any token."""


@dataclass(frozen=True)
class AdminTokens:
    """The tokens as their SHA-256 digests, so that no error report can show one."""

    digests: tuple[bytes, ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file. Empty lines and lines that begin with `#` are left out.

        May raise AdminTokensError: if others than the owner and its group can read the file, if
        others than the owner can write it, or if a line is no good token.
        """
        try:
            with path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                data = file.read()
        except OSError as error:
            raise AdminTokensError(f"{path}: cannot be read: {error.strerror}") from error
        if mode & (stat.S_IRWXO | stat.S_IWGRP):
            raise AdminTokensError(
                f"{path}: others can read or write it (mode {mode:04o}); chmod 600"
            )
        return cls.of(data, str(path))

    @classmethod
    def of(cls, data: bytes, name: str = "the tokens") -> Self:
        """Take the tokens from the text of a file. May raise AdminTokensError."""
        lines = [line.strip() for line in data.splitlines()]
        tokens = {n: line for n, line in enumerate(lines, 1) if line and not line.startswith(b"#")}
        for number, token in tokens.items():
            if len(token) < LEAST_CHARACTERS:
                wrong = f"shorter than {LEAST_CHARACTERS} characters; use: openssl rand -hex 32"
                raise AdminTokensError(f"{name}: line {number}: {wrong}")
            # RFC 6750 2.1: b64token, and what other generators of tokens print.
            if not all(0x21 <= byte <= 0x7E for byte in token):  # noqa: PLR2004, printable ASCII
                raise AdminTokensError(f"{name}: line {number}: a token is ASCII without spaces")
        if not 0 < len(tokens) <= MOST_TOKENS:
            raise AdminTokensError(f"{name}: has {len(tokens)} tokens; expected 1 to {MOST_TOKENS}")
        return cls(tuple(dict.fromkeys(sha256(token).digest() for token in tokens.values())))

    def name_of(self, token: str) -> str | None:
        """Return the name of a token in the log, or None if it is not one of them.

        Every token is compared, in constant time, so the time tells nothing about any of them.
        """
        presented = sha256(token.encode("utf-8", "surrogateescape")).digest()
        known = None
        for digest in self.digests:
            if compare_digest(digest, presented):
                known = digest
        return None if known is None else name_in_log(known)

    def digest_of(self, name: str) -> bytes | None:
        """Return the digest of the token of that name, or None. It is as secret as the token."""
        return next((each for each in self.digests if name_in_log(each) == name), None)

    def names(self) -> list[str]:
        """Return the names of all tokens."""
        return [name_in_log(digest) for digest in self.digests]


def name_in_log(digest: bytes) -> str:
    """Return the name of a token: the beginning of its SHA-256, as `sha256sum` prints it."""
    return digest.hex()[:_NAME_CHARACTERS]
