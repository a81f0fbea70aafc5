"""Where decisions come from: a person who is asked, a command, or a browser with a recipe."""

import asyncio
import shlex
import shutil
import sys
from typing import Literal, Protocol

import click
import msgspec

Choice = Literal["approve", "deny"]

COMMAND_TIMEOUT_S = 120


class Undecided(Exception):  # noqa: N818, it states a condition
    """No decision was made. The text says why."""


class ToDecide(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has in hand: the addresses and the code of one grant (RFC 8628 3.3).

    Without `verification_uri_complete`, the person types `user_code`, as it stands here.
    """

    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    choice: Choice

    @property
    def address(self) -> str:
        """The address to open."""
        return self.verification_uri_complete or self.verification_uri


class Decisions(Protocol):
    """A way to have a grant approved or denied.

    `can_guess`: whether it can try many codes, and sees soon that one is refused.
    """

    @property
    def can_guess(self) -> bool:
        """Whether wrong codes can be tried, each with an answer."""

    async def decide(self, grant: ToDecide) -> None:
        """Come back when it is done. May raise Undecided."""

    async def close(self) -> None:
        """Close what was opened."""


class NoDecisions:
    """There is no person. Checks that need a decision cannot be judged."""

    can_guess = False

    async def decide(self, grant: ToDecide) -> None:
        """Refuse. Raises Undecided."""
        raise Undecided(f"nobody is there to {grant.choice} a request: give --approve")

    async def close(self) -> None:
        """Nothing is open."""


class AskPerson:
    """A person at this terminal, who opens the address and presses Enter."""

    can_guess = False

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()

    async def decide(self, grant: ToDecide) -> None:
        """Print what to do, and wait for Enter. Raises Undecided at the end of input."""
        typed = "" if grant.verification_uri_complete else f", enter the code {grant.user_code}"
        async with self._one_at_a_time:
            click.echo(
                f"\nPlease open {grant.address}{typed}, and {grant.choice.upper()} the request. "
                "Then press Enter here.",
                err=True,
            )
            if not await asyncio.to_thread(sys.stdin.readline):
                raise Undecided("the terminal was closed before the decision")

    async def close(self) -> None:
        """Nothing is open."""


class RunCommand:
    """A command, run once for each decision.

    In its words, {user_code}, {verification_uri}, {verification_uri_complete} and {choice}
    (approve or deny) are replaced. No shell reads them. May raise ValueError: unknown braces, or
    no such program.
    """

    can_guess = True

    def __init__(self, command: str) -> None:
        self._words = shlex.split(command)
        example = ToDecide(
            user_code="", verification_uri="", verification_uri_complete="", choice="approve"
        )
        program = (self._filled_in(example) or [""])[0]
        if shutil.which(program) is None:
            raise ValueError(f"there is no program {program!r} to run")

    async def decide(self, grant: ToDecide) -> None:
        """Run it. Raises Undecided if it fails or takes too long."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._filled_in(grant),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        except OSError as error:
            raise Undecided(f"the command cannot be run: {error}") from error
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT_S):
                said, _ = await process.communicate()
        except TimeoutError:
            raise Undecided(f"the command took longer than {COMMAND_TIMEOUT_S} s") from None
        finally:
            # Also at Ctrl-C: a command must not outlive the run.
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            last = said.decode(errors="replace").strip().rpartition("\n")[2]
            raise Undecided(f"the command ended with status {process.returncode}: {last}")

    async def close(self) -> None:
        """Nothing is open."""

    def _filled_in(self, grant: ToDecide) -> list[str]:
        values = {
            "user_code": grant.user_code,
            "verification_uri": grant.verification_uri,
            "verification_uri_complete": grant.address,
            "choice": grant.choice,
        }
        try:
            return [word.format_map(values) for word in self._words]
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(f"the command has unknown braces: {error}") from None
