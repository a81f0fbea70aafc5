"""Resource indicators (RFC 8707)."""

import pytest

from deviceflow.core import resources
from deviceflow.core.client import Client

API = "https://api.example.com"
FILES = "https://files.example.com/v1?a=b"
CLIENT = Client(client_id="apis", name="APIs", resources=(API, FILES, "urn:example:api"))
ISSUER = "https://auth.example.com"


@pytest.mark.parametrize(
    ("parameter", "names"),
    [
        (None, ()),
        ("", ()),
        (API, (API,)),
        (f"{FILES} {API} {FILES}", (FILES, API)),
        ("urn:example:api", ("urn:example:api",)),
    ],
)
def test_requested(parameter: str | None, names: tuple[str, ...]) -> None:
    """8707-2-a."""
    assert resources.requested(parameter, CLIENT) == names


@pytest.mark.parametrize(
    "parameter",
    ["api", "/api", "//api.example.com", f"{API}#x", f"{API}#", f"{API}/", "https://else.example",
     f"{API} https://else.example", "https:", "https://[", "é"],
)  # fmt: skip
def test_refused(parameter: str) -> None:
    """8707-2-a: not absolute, with a fragment, or not for this client."""
    assert resources.requested(parameter, CLIENT) is None


@pytest.mark.parametrize(
    ("parameter", "granted", "found"),
    [
        (None, f"{API} {FILES}", f"{API} {FILES}"),
        (API, f"{API} {FILES}", API),
        (f"{API} {API}", API, API),
        (FILES, API, None),
        (f"{API} {FILES}", API, None),
        (API, "", None),
        (None, "", ""),
    ],
)
def test_narrowed(parameter: str | None, granted: str, found: str | None) -> None:
    """8707-2.2-a."""
    assert resources.narrowed(parameter, granted) == found


def test_audience() -> None:
    """8707-2-b, 9068-3-a: the resources, else the client's audience, else the issuer."""
    own = Client(client_id="own", name="Own", audience="own")
    assert resources.audience("", CLIENT, ISSUER) == ISSUER
    assert resources.audience("", own, ISSUER) == "own"
    assert resources.audience(API, own, ISSUER) == API
    assert resources.audience(f"{API} {FILES}", own, ISSUER) == [API, FILES]
