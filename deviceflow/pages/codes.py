"""User codes on pages: read what a person typed, write what the device shows."""

from deviceflow.core.client import Client, Clients
from deviceflow.core.user_code import MAX_GROWTH, UserCodeFormat, display, normalise


class Codes:
    """Knows the formats of all clients, for the page cannot know whose code is typed."""

    def __init__(self, default: UserCodeFormat, clients: Clients) -> None:
        self._default = default
        self._clients = clients
        clients.on_change(self._read_clients, self._read_client)
        self._read_clients()

    def read(self, text: str) -> list[str]:
        """List the codes that `text` may stand for, as the store has them; likeliest first."""
        typed = "".join(filter(str.isalnum, text.upper()))
        codes = {
            code
            for form in self._formats
            if (code := normalise(text, form.alphabet)) is not None
            and len(code) <= form.length + MAX_GROWTH
        }
        return sorted(codes, key=lambda code: (code != typed, code))

    def carry(self, text: str) -> str:
        """Write the code in `text` again, empty if there is none.

        This is all of a request that an address of this server ever repeats, so no link can send
        a person elsewhere with it (RFC 9700 4.11.2).
        """
        codes = self.read(text)
        return display(codes[0], self._default.group) if codes else ""

    def show(self, code: str, client: Client) -> str:
        """Write `code` as the client's device shows it."""
        return display(code, (client.user_code or self._default).group)

    @property
    def is_numeric(self) -> bool:
        """Whether a number pad has all the keys that are needed."""
        return all(form.alphabet.isdigit() for form in self._formats)

    @property
    def example(self) -> str:
        """What a code looks like, for the empty field."""
        alphabet = self._default.alphabet
        letters = (alphabet[(3 + 7 * i) % len(alphabet)] for i in range(self._default.length))
        return display("".join(letters), self._default.group)

    def _read_client(self, before: Client | None, after: Client | None) -> None:
        if (before and before.user_code) != (after and after.user_code):
            self._read_clients()

    def _read_clients(self) -> None:
        own = [client.user_code for client in self._clients if client.user_code is not None]
        self._formats = list(dict.fromkeys([self._default, *own]))
