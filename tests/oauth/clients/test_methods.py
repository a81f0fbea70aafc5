"""The table of authentication methods: how a request uses each, and whose credentials they are."""

from base64 import b64encode
from typing import get_args

import msgspec
import pytest

from deviceflow.core import assertion
from deviceflow.core.client import Client, secret_digest
from deviceflow.core.client_methods import CLIENT_METHODS, AuthMethod
from deviceflow.core.errors import OAuthError
from deviceflow.oauth.clients.methods import (
    AUTHENTICATORS,
    NOT_BASIC,
    ClientAssertion,
    ClientCertificate,
    ClientCredentials,
    ClientEvidence,
    ClientIdOnly,
    SharedSecret,
    UnreadableCredentials,
    Verifier,
    expected_method,
    read_credentials,
)

SUBJECT = "CN=box-17,O=Example"
BASIC = "Basic " + b64encode(b"tv:secret").decode()
ASSERTION = {"client_assertion_type": assertion.TYPE, "client_assertion": "a.b.c"}
VERIFIER = Verifier("https://auth.example.com", 1_800_000_000.0)


def read(
    authorization: str | None = None, subject: str = "", **parameters: str
) -> ClientCredentials:
    headers = [] if authorization is None else [authorization]
    return read_credentials(ClientEvidence(headers, parameters, subject))


def client(method: AuthMethod) -> Client:
    """A client that has a credential of every kind, and uses one."""
    return Client(
        client_id="tv",
        name="TV",
        auth_method=method,
        secret_sha256=(secret_digest("secret"),),
        jwks={"keys": []},
        tls_client_auth_subject_dn=SUBJECT,
    )


CREDENTIALS: dict[str, ClientCredentials] = {
    "basic": SharedSecret("tv", "secret", "client_secret_basic"),
    "post": SharedSecret("tv", "secret", "client_secret_post"),
    "assertion": ClientAssertion("tv", "a.b.c"),
    "certificate": ClientCertificate("tv", SUBJECT),
    "nothing": ClientIdOnly("tv"),
}


def test_every_method_has_its_row() -> None:
    assert set(AUTHENTICATORS) == set(CLIENT_METHODS) == {*get_args(AuthMethod)}


def test_what_a_request_shows() -> None:
    """RFC 6749 2.3.1, RFC 7523 2.2, RFC 8705 2.1."""
    assert read(BASIC) == read(BASIC, client_id="tv") == CREDENTIALS["basic"]
    assert read(client_id="tv", client_secret="secret") == CREDENTIALS["post"]
    assert read(client_id="tv", **ASSERTION) == CREDENTIALS["assertion"]
    assert read(client_id="tv", subject=SUBJECT) == CREDENTIALS["certificate"]
    assert read(client_id="tv") == CREDENTIALS["nothing"]


def test_a_certificate_of_the_connection_excludes_nothing() -> None:
    """A proxy may verify one for every device; it is no way that the request chose."""
    assert read(BASIC, subject=SUBJECT) == CREDENTIALS["basic"]
    secret = {"client_id": "tv", "client_secret": "secret"}
    assert read(subject=SUBJECT, **secret) == CREDENTIALS["post"]
    assert read(subject=SUBJECT, client_id="tv", **ASSERTION) == CREDENTIALS["assertion"]


@pytest.mark.parametrize(
    ("authorization", "parameters"),
    [
        (BASIC, {"client_secret": "secret"}),
        (BASIC, ASSERTION),
        (None, {"client_secret": "secret"} | ASSERTION),
        ("", {"client_id": "tv", "client_secret": "secret"}),
        (BASIC, {"client_id": "radio"}),
        (None, {}),
        (None, {"client_secret": "secret"}),
        (None, {"client_assertion": "a.b.c"}),
    ],
)
def test_what_is_no_request(authorization: str | None, parameters: dict[str, str]) -> None:
    """6749-2.3-a: two ways at once, two clients, or none."""
    with pytest.raises(OAuthError) as refused:
        read(authorization, **parameters)
    assert refused.value.code == "invalid_request"


@pytest.mark.parametrize("header", ["", "Basic", "Bearer x", "Basic !", "Basic dHY=", "Basic é"])
def test_a_header_that_is_not_basic(header: str) -> None:
    with pytest.raises(UnreadableCredentials, match=NOT_BASIC):
        read(header)


@pytest.mark.parametrize("shown", CREDENTIALS)
@pytest.mark.parametrize("method", CLIENT_METHODS)
def test_a_client_uses_the_method_that_it_is_registered_with(
    method: AuthMethod, shown: str
) -> None:
    """6749-2.3-a. A request with a certificate authenticates with none, as far as it says itself.

    A public client may have a certificate for reasons of its own.
    """
    credentials = CREDENTIALS[shown]
    expected = {
        ("none", "nothing"): "",
        ("none", "certificate"): "",
        ("client_secret_basic", "basic"): "",
        ("client_secret_post", "post"): "",
        ("client_secret", "basic"): "",
        ("client_secret", "post"): "",
        ("private_key_jwt", "assertion"): "has an assertion that none of its keys signed",
        ("tls_client_auth", "certificate"): "",
        ("tls_client_auth", "nothing"): "shows no certificate",
    }
    named = {
        "basic": "client_secret_basic",
        "post": "client_secret_post",
        "assertion": "private_key_jwt",
    }.get(shown, "none")
    other = f"authenticates with {named}, is registered with {method}"
    fault = AUTHENTICATORS[method].proof(client(method), credentials, VERIFIER)
    assert fault == expected.get((method, shown), other)


@pytest.mark.parametrize("secret", ["", "Secret", "secret "])
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_another_secret(method: AuthMethod, secret: str) -> None:
    credentials = SharedSecret("tv", secret, method)
    fault = AUTHENTICATORS[method].proof(client(method), credentials, VERIFIER)
    assert fault == "has a wrong secret"


def test_an_empty_secret_proves_nothing() -> None:
    """Not even if its digest was configured by mistake; it names a public client."""
    empty = SharedSecret("tv", "", "client_secret_basic")
    for method in get_args(AuthMethod):
        careless = msgspec.structs.replace(client(method), secret_sha256=(secret_digest(""),))
        fault = AUTHENTICATORS[method].proof(careless, empty, VERIFIER)
        assert (fault == "") == (method == "none")


def test_the_expected_method() -> None:
    basic, post = CREDENTIALS["basic"], CREDENTIALS["post"]
    assert expected_method(client("client_secret_post"), basic) == "client_secret_post"
    assert expected_method(client("client_secret_basic"), post) == "client_secret_basic"
    wrong = SharedSecret("tv", "wrong", "client_secret_basic")
    cases: list[tuple[AuthMethod, ClientCredentials]] = [
        ("client_secret_post", wrong),
        ("client_secret_post", post),
        ("client_secret", basic),
        ("none", basic),
        ("private_key_jwt", basic),
        ("client_secret_post", CREDENTIALS["nothing"]),
    ]
    for method, shown in cases:
        assert expected_method(client(method), shown) == ""


@pytest.mark.parametrize("subject", ["CN=box-18,O=Example", SUBJECT.lower(), "\udcff"])
def test_another_subject(subject: str) -> None:
    prove = AUTHENTICATORS["tls_client_auth"].proof
    credentials = ClientCertificate("tv", subject)
    fault = prove(client("tls_client_auth"), credentials, VERIFIER)
    assert fault == "has a certificate of another name"
    nameless = Client(client_id="tv", name="TV", auth_method="tls_client_auth")
    assert prove(nameless, credentials, VERIFIER) == "has a certificate of another name"


def test_what_can_be_a_guess() -> None:
    """6749-2.3.1-c: an empty secret is none; nobody guesses at an id or at a certificate."""
    assert [name for name, shown in CREDENTIALS.items() if shown.is_guess] == [
        "basic",
        "post",
        "assertion",
    ]
    assert not SharedSecret("tv", "", "client_secret_basic").is_guess


def test_what_proves_a_client_is_not_shown() -> None:
    """Whatever prints credentials, in a traceback for instance."""
    shown = repr([CREDENTIALS["basic"], CREDENTIALS["assertion"]])
    assert "'secret'" not in shown
    assert "a.b.c" not in shown
