"""The failures of the store, for callers that must not know Redis."""

from copy import copy


class StoreUnavailable(Exception):  # noqa: N818, it states a condition, not a mistake
    """The store cannot be reached, or cannot make the promise that a command needs.

    The command may have been carried out; nothing was acknowledged. The text says why. If the
    store is there and refuses, it is the code of the refusal, for example READONLY.
    """


class RecordUnreadable(StoreUnavailable):
    """A record of another version, or a damaged record. The text is a line for the operator."""


class RecordContended(StoreUnavailable):
    """A record that others keep changing. The text is a line for the operator."""


class NameTaken(Exception):  # noqa: N818, it states a condition, not a mistake
    """Another client has the name that a client wants for itself."""


class SubjectTaken(Exception):  # noqa: N818, it states a condition, not a mistake
    """A username is another subject's, or a subject has another username."""


class StoreSetupError(Exception):
    """The store cannot be opened at start. The text is a line for the operator."""


def own_copy(error: Exception) -> Exception:
    """Return the error for one of several callers that it fails.

    One exception that is raised in many places would collect all their traces. A copy has no cause,
    and the causes say why the store failed, so `error` itself is the cause.
    """
    own = copy(error)
    own.__cause__ = error
    return own
