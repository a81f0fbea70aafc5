"""The secrets that a test makes and sends, none of which may be in the audit."""

from collections.abc import Iterable, Mapping

SECRET_FIELDS = frozenset(
    {
        *("access_token", "client_assertion", "client_secret", "code", "code_verifier"),
        *("credential", "csrf_token", "device_code", "form_token", "id_token", "new_password"),
        *("password", "recovery_code", "refresh_token", "registration_access_token"),
        *("repeated_password", "token", "user_code"),
    }
)
"""The members of requests and answers, and the fields of forms, whose values are secrets."""

SHORTEST = 8
"""What is shorter may be a word of an event."""


class SeenSecrets:
    """Collects secrets, and looks for them."""

    def __init__(self) -> None:
        self.values: set[str] = set()

    def add(self, values: Iterable[object]) -> None:
        texts = (value for value in values if isinstance(value, str))
        self.values |= {text for text in texts if len(text) >= SHORTEST}

    def add_fields(self, fields: object) -> None:
        """Note those members of a message, or fields of a form, that are secrets."""
        if isinstance(fields, Mapping):
            values = [value for name, value in fields.items() if name in SECRET_FIELDS]
            self.add(values)
            self.add(str(value).replace("-", "") for value in values)

    def found_in(self, lines: Iterable[bytes]) -> set[str]:
        """The secrets that are in lines of an audit."""
        text = b"".join(lines).decode().lower()
        return {value for value in self.values if value.lower() in text}
