"""What keeps the server from starting, or from changing while it runs."""


class StartError(Exception):
    """The server cannot start. The text is a line for the operator."""


class ChangeRefused(Exception):  # noqa: N818, it is no fault: the server goes on as before
    """A reload or an upgrade that changes nothing. `lines`: why, for the operator."""

    def __init__(self, *lines: str) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


class TrialError(StartError):
    """A new program could not take over. The text has a line for each reason."""
