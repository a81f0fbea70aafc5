"""The errors of the device's side. Every message is a line for a person."""


class DeviceFlowError(Exception):
    """The flow cannot go on. The text says what happened and what to do next."""


class InsecureAddressError(DeviceFlowError):
    """Codes and tokens must not be sent to this address (RFC 8628 3.1: TLS)."""


class DiscoveryError(DeviceFlowError):
    """The issuer's metadata is missing, is not usable, or is another issuer's (RFC 8414 3.3)."""


class UnreachableError(DeviceFlowError):
    """No answer came: unknown host, refused connection, time-out or broken TLS.

    `reason` is the cause in a few words. The text may say what to do, too.
    """

    def __init__(self, address: str, reason: str, advice: str = "") -> None:
        super().__init__(f"Cannot reach {address}: {reason}. {advice}".rstrip())
        self.reason = reason


class UnavailableError(DeviceFlowError):
    """The server cannot serve now (5xx or 429). The same request may work later.

    `retry_after` is in seconds, or None if the server did not send it.
    """

    def __init__(self, status: int, retry_after: float | None) -> None:
        when = "in a while" if retry_after is None else f"in {retry_after:.0f} s"
        super().__init__(f"The server cannot answer now (HTTP {status}). Try again {when}.")
        self.status = status
        self.retry_after = retry_after


class MalformedAnswerError(DeviceFlowError):
    """The server's answer is not what RFC 6749 5 or RFC 8628 3.2 describe."""


class LoginRequired(DeviceFlowError):  # noqa: N818 - a state of the device, not a fault
    """No usable login is kept: there is none, or it has ended. A person must sign in again."""


class TokenFileError(DeviceFlowError):
    """The file with the tokens cannot be used: its mode, its owner, its content or the disk."""


class ServerError(DeviceFlowError):
    """An OAuth error answer (RFC 6749 5.2): `code`, `description` and the HTTP `status`."""

    def __init__(self, code: str, description: str = "", *, status: int = 400) -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code = code
        self.description = description
        self.status = status


class AccessDenied(ServerError):  # noqa: N818 - RFC 8628 3.5 names the end state, not a fault
    """`access_denied`: the person or the operator has denied the request. This is final."""


class ExpiredToken(ServerError):  # noqa: N818 - RFC 8628 3.5 names the end state, not a fault
    """`expired_token`: the request expired undecided. Start again with a new request."""
