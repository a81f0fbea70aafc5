"""User codes on pages: read what a person typed, write what the device shows."""

import re
import unicodedata

from deviceflow.core.client import Client
from deviceflow.core.clients import Clients
from deviceflow.core.user_code import UserCodeFormat, display, normalise


class Codes:
    """Knows the formats of all clients, for the page cannot know whose code is typed.

    `default`: the format of clients without one of their own.
    """

    def __init__(self, default: UserCodeFormat, clients: Clients) -> None:
        self.default = default
        self._clients = clients
        clients.on_change(self._read_clients, self._read_client)
        self._read_clients()

    def read(self, text: str) -> list[str]:
        """List the codes that `text` may stand for, as the store has them; likeliest first."""
        return list(dict.fromkeys(code for code, _ in self._readings(text)))

    def carry(self, text: str) -> str:
        """Write the code in `text` again, empty if there is none.

        Before a look-up the client is unknown: the code is written in the format that `text` fits
        best. This is all of a request that an address of this server ever repeats, so no link can
        send a person elsewhere with it (RFC 9700 4.11.2).
        """
        readings = self._readings(text)
        return display(readings[0][0], readings[0][1].group) if readings else ""

    def show(self, code: str, client: Client | None) -> str:
        """Write `code` as the client's device shows it."""
        if client is None:
            return self.carry(code)
        return display(code, (client.user_code or self.default).group)

    def repeat(self, text: str) -> str:
        """Write `text` again if it is a code or a piece of one, otherwise nothing of it.

        It may be anything that a person can mistype, such as a password.
        """
        for form in self._formats:
            code = normalise(text, form.alphabet)
            if code is not None and len(code) <= form.longest:
                return self.carry(text) or display(code, form.group)
        return ""

    def has_too_few(self, text: str) -> bool:
        """Say whether `text` has characters, but fewer than any code."""
        return 0 < _count(text) < self.lengths[0]

    def has_too_many(self, text: str) -> bool:
        """Say whether `text` has more characters than any code."""
        return _count(text) > self.lengths[1]

    @property
    def lengths(self) -> tuple[int, int]:
        """How many characters the shortest and the longest code have."""
        shortest = min(form.length for form in self._formats)
        return shortest, max(form.longest for form in self._formats)

    @property
    def is_numeric(self) -> bool:
        """Whether a number pad has all the keys that are needed."""
        return all(form.alphabet.isdigit() for form in self._formats)

    def example(self, length: int) -> str:
        """Return what a code looks like, for the empty field. `length`: that of codes made now."""
        alphabet = self.default.alphabet
        letters = (alphabet[(3 + 7 * i) % len(alphabet)] for i in range(length))
        return display("".join(letters), self.default.group)

    def _readings(self, text: str) -> list[tuple[str, UserCodeFormat]]:
        """List the codes that `text` may stand for, each with a format; the best fit first."""
        readings = [
            (code, form)
            for form in self._formats
            if (code := normalise(text, form.alphabet)) is not None
            and form.length <= len(code) <= form.longest
        ]
        groups = re.findall(r"[^\W_]+", text.upper())
        typed, as_typed = "".join(groups), "-".join(groups)

        def misfit(reading: tuple[str, UserCodeFormat]) -> tuple[bool, bool, int, str]:
            code, form = reading
            return (
                code != typed,
                display(code, form.group) != as_typed,
                abs(len(code) - form.length),
                code,
            )

        return sorted(readings, key=misfit)

    def _read_client(self, before: Client | None, after: Client | None) -> None:
        if (before and before.user_code) != (after and after.user_code):
            self._read_clients()

    def _read_clients(self) -> None:
        own = [client.user_code for client in self._clients if client.user_code is not None]
        self._formats = list(dict.fromkeys([self.default, *own]))


def _count(text: str) -> int:
    return sum(map(str.isalnum, unicodedata.normalize("NFKC", text[:256])))
