"""What can go wrong with the store, for callers that must not know Redis."""


class StoreUnavailable(Exception):  # noqa: N818, it states a condition, not a mistake
    """The store cannot be reached, or cannot promise what was asked of it.

    Whether the command was carried out is not known; nothing was acknowledged.
    """


class RecordUnreadable(StoreUnavailable):
    """A record of another version, or a damaged one. The text is one line for the operator."""


class RecordContended(StoreUnavailable):
    """A record that others change all the time. The text is one line for the operator."""


class StoreSetupError(Exception):
    """The store cannot be opened at start. The text is one line for the operator."""
