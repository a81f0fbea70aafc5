"""A single client, as `deviceflow clients` reads it."""

import pytest

from deviceflow.config import ConfigError, Settings, read_client
from deviceflow.core.client import Client
from deviceflow.core.resources import ProtectedResource

BESIDE = Settings(
    resources=(ProtectedResource(resource="https://api.example", scopes=("print",)),),
    clients=(Client(client_id="tv", name="TV"),),
)


def test_one_more_client() -> None:
    """The defaults are those of the file, and the file may have a client with the same id."""
    fields = {"client_id": "tv", "name": "TV 2", "scopes": ["print"], "audience": None}
    read = read_client({**fields, "resources": ["https://api.example"]}, BESIDE)
    assert read == Client(
        client_id="tv", name="TV 2", scopes=("print",), resources=("https://api.example",)
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"interval": 5}, ('interval: unknown key; did you mean "interval_s"?',)),
        (
            {"scopes": ["print"], "interval_s": 61},
            (
                (
                    'resources: without "https://api.example", to which its scope "print" belongs;'
                    " expected that resource, or no such scope"
                ),
                "interval_s: got 61; expected at most device.max_interval_s, which is 60",
            ),
        ),
        # A wrong field is not compared to others.
        (
            {"scopes": ["print"], "interval_s": 0},
            ("interval_s: got 0; expected a whole number from 1 to 3600",),
        ),
        (
            {"auth_method": "client_secret_post"},
            ('secret_sha256: missing; expected at least one for auth_method "client_secret_post"',),
        ),
    ],
)
def test_one_more_client_that_is_wrong(
    fields: dict[str, object], expected: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_client({"client_id": "a", "name": "A", **fields}, BESIDE)
    assert caught.value.problems == expected
