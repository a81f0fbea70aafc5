"""What keeps the server from starting."""


class StartError(Exception):
    """The server cannot start. The text is a line for the operator."""
