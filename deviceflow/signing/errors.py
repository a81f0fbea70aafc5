"""What is wrong with a token or a key."""

from joserfc.errors import JoseError

# JSON that is nested too deeply is a RecursionError.
MALFORMED = (JoseError, ValueError, TypeError, RecursionError)
"""What the JOSE library raises if it cannot read or verify something."""


class BadToken(Exception):  # noqa: N818, it describes the token
    """The token is not a JWT, or no accepted key signed it; or a key is not usable."""
