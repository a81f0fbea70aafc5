"""What can go wrong with an upstream provider."""

from enum import StrEnum


class Cause(StrEnum):
    """The cause of a failed sign-in, for the log."""

    UNREACHABLE = "unreachable"
    BAD_RESPONSE = "bad_response"
    BAD_METADATA = "bad_metadata"
    BAD_KEYS = "bad_keys"
    BAD_ISSUER = "bad_issuer"
    BAD_CREDENTIAL = "bad_credential"
    BAD_ID_TOKEN = "bad_id_token"  # noqa: S105, the name of a cause
    BAD_USERINFO = "bad_userinfo"
    REFUSED = "refused"
    TOKEN_REFUSED = "token_refused"  # noqa: S105, the name of a cause


class UpstreamError(Exception):
    """A sign-in that failed. `detail` is for the operator, and has no secret in it.

    `code`: the error code of the provider (RFC 6749 4.1.2.1, 5.2), empty without one.
    """

    def __init__(self, cause: Cause, detail: str, code: str = "") -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = cause
        self.detail = detail
        self.code = code

    @property
    def may_pass(self) -> bool:
        """Whether the same sign-in may work in a moment."""
        passing = {"temporarily_unavailable", "server_error"}
        return self.cause is Cause.UNREACHABLE or self.code in passing
