"""A login that lasts: tokens in a file, refreshed in time, for any number of processes.

The rules that keep a device from being stranded:

- A new refresh token is on the disk before its access token is given out. Until then, the file has
  the old one, and a server that lets a lost answer be repeated still accepts it.
- The disk is tried before the request: a server may accept a refresh token only once, so a full or
  read-only disk must show before it is spent.
- No answer, 429 and 5xx say nothing about the login. Only `invalid_grant` ends it (RFC 6749 5.2).
- One process refreshes at a time. Another one waits, and uses what the first one got. Two
  refreshes with one token would look like theft (RFC 9700 4.14.2).
- RFC 6749 6: a new refresh token replaces the old one; an answer without one leaves it.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from deviceflow.device.answers import DeviceAuthorization, Tokens
from deviceflow.device.client import DeviceClient
from deviceflow.device.errors import (
    DeviceFlowError,
    LoginRequired,
    ServerError,
    UnavailableError,
    UnreachableError,
)
from deviceflow.device.events import Event
from deviceflow.device.schedule import before_asking_again
from deviceflow.device.token_file import KeptTokens, TokenFile

MARGIN_S: Final = 60.0
"""How long before its end an access token is replaced, unless its whole life is short."""

LONGEST_PAUSE_S: Final = 3600.0
"""How long `Retry-After` is obeyed: a wrong one of years would end the login."""


class DeviceLogin:
    """The login of a client with a scope, kept in a file.

    `folder` is where the file is; by default a folder of the user (`token_file.default_folder`).
    An access token is refreshed `margin_s` seconds before its end, or at half of its life if that
    is shorter. `in_keyring`: `sign_in` and `keep` put the tokens into the system's keyring, and the
    file says so (needs the package keyring). `wall_clock` gives seconds since 1970. May raise
    TokenFileError.
    """

    def __init__(
        self,
        client: DeviceClient,
        scope: str = "",
        *,
        folder: Path | None = None,
        margin_s: float = MARGIN_S,
        in_keyring: bool = False,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.file = TokenFile.of(client.issuer, client.client_id, scope, folder)
        self._client = client
        self._scope = scope
        self._margin_s = margin_s
        self._in_keyring = in_keyring
        self._wall_clock = wall_clock
        self._failures = 0
        self._not_before = 0.0
        self._trouble: DeviceFlowError | None = None
        self._seen: tuple[str, float] | None = None

    async def sign_in(
        self,
        on_codes: Callable[[DeviceAuthorization], None],
        *,
        on_event: Callable[[Event], None] | None = None,
    ) -> Tokens:
        """Run the flow, keep the tokens, and return them. `on_codes` shows the codes to a person.

        May raise the errors of `DeviceClient.authorize` and `poll_until_decided`, TokenFileError.
        """
        self.file.prepare(in_keyring=self._in_keyring)
        authorization = await self._client.authorize(self._scope)
        on_codes(authorization)
        tokens = await self._client.poll_until_decided(authorization, on_event=on_event)
        await self.keep(tokens)
        return tokens

    async def keep(self, tokens: Tokens) -> None:
        """Keep the tokens of a new login in place of the old ones. May raise TokenFileError."""
        async with self.file.locked():
            self._write(tokens, in_keyring=self._in_keyring)

    async def access_token(self, *, refused: str | None = None) -> str:
        """Return an access token that is valid for a while. Refresh it if need be.

        `refused`: an access token that an API has just refused with 401. It is not returned again.
        If the server cannot be asked, a token that has not yet ended is returned. May raise
        LoginRequired (a person must sign in), UnavailableError or UnreachableError (ask again
        later), ServerError, MalformedAnswerError, TokenFileError.
        """
        kept = self._kept()
        if self._lasts(kept, refused, self._margin_s):
            return kept.tokens.access_token
        async with self.file.locked():
            kept = self._kept()  # another process may have refreshed it meanwhile
            if self._lasts(kept, refused, self._margin_s):
                return kept.tokens.access_token
            try:
                return (await self._refreshed(kept)).access_token
            except (UnavailableError, UnreachableError):
                if self._lasts(kept, refused, margin_s=0.0):
                    return kept.tokens.access_token
                raise

    async def logout(self) -> bool:
        """Revoke the kept tokens (RFC 7009), then remove the file.

        Return False if the server cannot revoke: the tokens end by themselves. May raise
        LoginRequired (nothing is kept), UnavailableError or UnreachableError (the file stays, ask
        again later), ServerError (the file stays), TokenFileError.
        """
        async with self.file.locked():
            tokens = self._kept().tokens
            is_revoked = await self._revoked(tokens)
            self.file.remove()
        return is_revoked

    def _kept(self) -> KeptTokens:
        kept = self.file.read()
        if kept is None:
            raise LoginRequired(
                f"There is no login of {self._client.client_id} at {self._client.issuer} with this "
                "scope. Sign in first."
            )
        return kept

    def _lasts(self, kept: KeptTokens, refused: str | None, margin_s: float) -> bool:
        """Return whether the access token lives for longer than the margin."""
        tokens = kept.tokens
        if tokens.access_token == refused:
            return False
        if tokens.expires_in is None or tokens.expires_in <= 0:
            return True  # not said (some servers say it by 0): an API refuses it when it has ended
        left = self._left(kept, tokens.expires_in)
        return left > min(margin_s, tokens.expires_in / 2)

    def _left(self, kept: KeptTokens, lifetime: int) -> float:
        """Return the seconds that the access token still lives, 0 if the clock cannot say.

        The clock of the machine may jump while this process runs. The clock that never goes back
        counts, too, from the moment at which this process first saw the token.
        """
        age = self._wall_clock() - kept.obtained_at
        left = lifetime - age if age >= 0 else 0.0
        now = self._client.time.clock()
        if self._seen is None or self._seen[0] != kept.tokens.access_token:
            self._seen = (kept.tokens.access_token, now + left)
        return min(left, self._seen[1] - now)

    async def _refreshed(self, kept: KeptTokens) -> Tokens:
        refresh_token = kept.tokens.refresh_token
        if refresh_token is None:
            raise LoginRequired(
                "The access token has ended, and the server gave no refresh token. Sign in again, "
                "with the scope offline_access if the server has it."
            )
        self._check_pause()
        self.file.write(kept)  # tries the disk
        try:
            tokens = await self._client.refresh(refresh_token)
        except (UnavailableError, UnreachableError) as error:
            self._pause(error)
            raise
        except ServerError as error:
            if error.code == "invalid_grant":
                raise LoginRequired(f"The login has ended ({error}). Sign in again.") from error
            raise
        self._failures, self._trouble = 0, None
        tokens = msgspec.structs.replace(
            tokens,
            refresh_token=tokens.refresh_token or refresh_token,
            scope=tokens.scope or kept.tokens.scope,  # RFC 6749 5.1: left out if it is the same
        )
        self._write(tokens, in_keyring=kept.in_keyring)
        return tokens

    def _check_pause(self) -> None:
        """Keep a program that asks in a loop from asking a server in trouble as fast."""
        left = self._not_before - self._client.time.clock()
        if self._trouble is not None and left > 0:
            raise self._trouble

    def _pause(self, error: DeviceFlowError) -> None:
        self._trouble = error
        self._failures += 1
        retry_after = error.retry_after if isinstance(error, UnavailableError) else None
        pause = before_asking_again(self._failures, retry_after, self._client.jitter)
        self._not_before = self._client.time.clock() + min(pause, LONGEST_PAUSE_S)

    def _write(self, tokens: Tokens, *, in_keyring: bool) -> None:
        self.file.write(
            KeptTokens(
                issuer=self._client.issuer,
                client_id=self._client.client_id,
                scope=self._scope,
                obtained_at=self._wall_clock(),
                # The whole answer has the tokens a second time.
                tokens=msgspec.structs.replace(tokens, answer={}),
                in_keyring=in_keyring,
            )
        )

    async def _revoked(self, tokens: Tokens) -> bool:
        if (await self._client.metadata()).revocation_endpoint is None:
            return False
        token, hint = tokens.refresh_token, "refresh_token"
        if token is None:
            token, hint = tokens.access_token, "access_token"
        try:
            await self._client.revoke(token, token_type_hint=hint)
        except ServerError as error:
            if error.code == "unsupported_token_type":  # RFC 7009 2.2.1
                return False
            raise
        return True
