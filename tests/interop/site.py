"""A running server, for programs of others."""

from collections.abc import Callable

from tests.interop.peer import Peer, Step
from tests.stage.program import Program
from tests.stage.wire import Browser

Play = Callable[..., Peer]


class Site:
    """A running server. `issuer`: all that a library is told."""

    def __init__(self, program: Program, issuer: str) -> None:
        self.issuer = issuer
        # Where people's pages are.
        program.url = issuer
        self.person = Browser(program)

    def decide(self, authorized: Step, decision: str) -> None:
        """Open the address that the device shows, look at the request, decide."""
        assert authorized["verification_uri"] == f"{self.issuer}/device"
        self.person.decide(authorized["user_code"], decision)
