"""What can be said of a client on the command line, and what is refused."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from deviceflow.__main__ import main
from deviceflow.cli.client_options import client_options
from deviceflow.core.client import Client
from deviceflow.core.user_code import NUMERIC, UserCodeFormat
from deviceflow.signing.keys import new_key
from tests.stage.commands import Clients, Stored

PRIVATE = new_key("ES256", 0).jwk
PUBLIC = {member: value for member, value in PRIVATE.items() if member != "d"}
WEAK = {"kty": "RSA", "n": "_" * 171, "e": "AQAB"}
PRINT, FILES = "https://api.example/print", "https://files.example"
KEY_METHOD = ("--auth-method", "private_key_jwt")


@pytest.fixture
def jwks(tmp_path: Path) -> str:
    """The name of a file with one public key."""
    return written(tmp_path, {"keys": [PUBLIC]})


def written(folder: Path, content: object) -> str:
    file = folder / "jwks.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(file)


def test_everything_but_a_secret(clients: Clients, stored: Stored, jwks: str) -> None:
    """What a client of the file can be."""
    options = (
        *("--publisher", "Example Ltd", "--client-uri", "https://example.com/meter"),
        *("--policy-uri", "https://example.com/p", "--tos-uri", "https://example.com/t"),
        *("--name", "Meter", "--scope", "openid print", "--scope", "files"),
        *("--optional-scope", "print files"),
        *(*KEY_METHOD, "--jwks", jwks, "--introspect", "--audience", PRINT),
        *("--resource", FILES, "--resource", "urn:x", "--token-format", "opaque"),
        *("--algorithm", "RS256"),
        *("--refresh-token", "always", "--lifetime", "1800", "--interval", "60"),
        *("--hold", "0"),
        *("--user-code-alphabet", "numeric", "--user-code-length", "9"),
        *("--no-verification-uri-complete", "--pkce", "required", "--dpop", "required"),
        *("--sign-in", "phishing_resistant", "--max-sign-in-age", "300"),
        *("--device", "--start-network", "10.0.0.0/8", "--start-network", "2001:db8::/32"),
        *("--approval-network", "192.0.2.0/24", "--max-approvals-per-hour", "3"),
        *("--near", "network", "--if-far", "refuse"),
        *("--starts", "0", "--starts-per-network", "3", "--starts-per-address", "2"),
        *("--live-grants", "9"),
    )
    result = clients("add", "meter", *options)
    assert (result.exit_code, result.stdout) == (0, "")
    assert stored("meter") == Client(
        client_id="meter",
        name="Meter",
        publisher="Example Ltd",
        client_uri="https://example.com/meter",
        policy_uri="https://example.com/p",
        tos_uri="https://example.com/t",
        scopes=("openid", "print", "files"),
        optional_scopes=("print", "files"),
        auth_method="private_key_jwt",
        jwks={"keys": [PUBLIC]},
        introspect=True,
        audience=PRINT,
        resources=(FILES, "urn:x"),
        token_format="opaque",
        algorithm="RS256",
        refresh_token=True,
        lifetime_s=1800,
        interval_s=60,
        hold_s=0,
        user_code=UserCodeFormat(alphabet=NUMERIC, length=9),
        verification_uri_complete=False,
        pkce="required",
        dpop="required",
        sign_in="phishing_resistant",
        max_sign_in_age_s=300,
        device=True,
        start_networks=("10.0.0.0/8", "2001:db8::/32"),
        approval_networks=("192.0.2.0/24",),
        max_approvals_per_hour=3,
        near="network",
        if_far="refuse",
        starts=0,
        starts_per_network=3,
        starts_per_address=2,
        live_grants=9,
    )


def test_a_certificate(clients: Clients, stored: Stored) -> None:
    method = ("--auth-method", "tls_client_auth", "--tls-subject", "CN=m")
    result = clients("add", "m", "--name", "M", *method)
    assert '--auth-method: "tls_client_auth" lets no client in without' in result.stderr
    client = stored("m")
    assert client is not None
    assert (client.auth_method, client.tls_client_auth_subject_dn) == ("tls_client_auth", "CN=m")


def test_a_long_hold_is_warned_about(clients: Clients, stored: Stored) -> None:
    result = clients("add", "tv", "--name", "TV", "--hold", "10")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "--hold: 10 s is longer than some common libraries wait" in result.stderr
    client = stored("tv")
    assert client is not None
    assert client.hold_s == 10


def test_keys_from_standard_input(clients: Clients, stored: Stored) -> None:
    text = json.dumps({"keys": [PUBLIC]})
    clients("add", "meter", "--name", "Meter", *KEY_METHOD, "--jwks", "-", stdin=text)
    client = stored("meter")
    assert client is not None
    assert client.public_keys == [PUBLIC]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--name", ""), '--name: got ""; expected 1 to 100 characters'),
        (("--name", "\udcff"), "--name: these bytes are not UTF-8; expected text in UTF-8"),
        (("--scope", 'openid "'), '--scope: got "\\""; expected a scope: printable ASCII'),
        (("--lifetime", "0"), "--lifetime: got 0; expected a whole number from 1 to 86400"),
        (("--interval", "61"), "--interval: got 61; expected at most device.max_interval_s"),
        (("--hold", "26"), "--hold: got 26; expected a whole number from 0 to 25"),
        (("--user-code-alphabet", "abc"), '--user-code-alphabet: got "abc"; expected at least'),
        (("--user-code-length", "4"), "--user-code-length: got 4; expected a whole number from"),
        (("--user-code-group", "-1"), "--user-code-group: got -1; expected a whole number from"),
        (("--start-network", "10.0.0.1/8"), '--start-network: got "10.0.0.1/8"; expected'),
        (("--near", "country"), '--near: got "country" without places; expected "address" or'),
        (("--max-approvals-per-hour", "0"), "--max-approvals-per-hour: got 0; expected a whole"),
        (("--audience", ""), '--audience: got ""; expected the address or name of an API'),
        (("--resource", "api"), '--resource: got "api"; expected an absolute URI'),
        (
            ("--scope", "print"),
            f'--resource: without "{PRINT}", to which its scope "print" belongs; expected',
        ),
        (("--introspect",), "--introspect: set for a public client; expected a client that"),
        (("--jwks", "/nowhere"), "--jwks: /nowhere cannot be read: No such file or directory;"),
        (("--jwks", "/"), "--jwks: / cannot be read: Is a directory; expected a JSON file"),
        (KEY_METHOD, "--jwks: no keys; expected at least one public key"),
        (("--auth-method", "tls_client_auth"), "--tls-subject: missing; expected the name"),
        (
            ("--tls-subject", "CN=m"),
            (
                '--tls-subject: set for a client with auth_method "none"; expected it with'
                " --auth-method tls_client_auth"
            ),
        ),
    ],
)
def test_what_the_file_would_refuse(
    clients: Clients, stored: Stored, options: tuple[str, ...], said: str
) -> None:
    """One line, which names the option, status 1, and nothing is stored."""
    result = clients("add", "meter", "--name", "Meter", *options)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"deviceflow: {said}")
    assert stored("meter") is None


def test_all_that_is_wrong_is_said(clients: Clients) -> None:
    result = clients("add", "two words", "--name", "", "--interval", "0")
    assert [line.split(": ")[1] for line in result.stderr.splitlines()] == [
        "client_id",
        "--name",
        "--interval",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"keys": [PUBLIC, PRIVATE]}, '--jwks keys[1]: a private key, for it has "d"; expected'),
        ({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}, "--jwks keys[0]: a private key, for it has"),
        ({"keys": [{**PUBLIC, "x": "A"}]}, "--jwks keys[0]: a key without a good x; expected 32"),
        ({"keys": [PUBLIC, WEAK]}, "--jwks keys[1]: an RSA key of 1024 bits; expected 2048"),
        (
            {"keys": [{**PUBLIC, "x": PUBLIC["y"]}]},
            "--jwks keys[0]: no signature can be checked with it",
        ),
        ({"keys": []}, "--jwks: no keys; expected at least one public key"),
        ({"keys": [1]}, "--jwks: not a JWK Set; expected the JSON"),
        ({"keys": PUBLIC}, "--jwks: not a JWK Set; expected the JSON"),
        (PRIVATE, "--jwks: not a JWK Set; expected the JSON"),
        ([PUBLIC], "--jwks: not a JWK Set; expected the JSON"),
        ("-----BEGIN PUBLIC KEY-----", "--jwks: not a JWK Set; expected the JSON"),
        ('{"keys": ["\\ud800"]}', "--jwks: not a JWK Set; expected the JSON"),
        ("[" * 100_000, "--jwks: not a JWK Set; expected the JSON"),
    ],
)
def test_keys_that_are_refused(
    clients: Clients, stored: Stored, tmp_path: Path, content: object, said: str
) -> None:
    """What a private key is made of is never printed."""
    file = written(tmp_path, content)
    result = clients("add", "meter", "--name", "Meter", *KEY_METHOD, "--jwks", file)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"deviceflow: {said}")
    assert PRIVATE["d"] not in line
    assert stored("meter") is None


def test_scopes_without_words(clients: Clients, stored: Stored) -> None:
    """As `check` says it of the file; the client is there all the same."""
    result = clients("add", "meter", "--name", "Meter", "--scope", "openid tv:watch")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines()[:2] == [
        "added meter",
        ('deviceflow: warning: --scope: "tv:watch" has no words for people; add it to [scopes]'),
    ]
    assert stored("meter") is not None


@pytest.mark.parametrize("command", ["add", "set"])
def test_help_has_every_option_under_a_heading(command: str) -> None:
    lines = CliRunner().invoke(main, ["clients", command, "--help"]).output.splitlines()
    heading, under = "", {}
    for line in lines:
        heading = line if line.endswith(":") and line[0].isalpha() else heading
        if line.startswith("  --"):
            under[line.split()[0]] = heading
    for option in client_options(new=True):
        assert under[option.opts[0]] == f"{getattr(option, 'group', '')}:"
    assert "Options:" in lines


def test_every_field_of_a_client_has_an_option() -> None:
    """But for those that commands of their own set, and for the logo, which only the file has."""
    fields = {option.name for option in client_options(new=True)}
    own = {"logo", "client_id", "enabled", "secret_sha256", "user_code"}
    code = {f"user_code_{name}" for name in UserCodeFormat.__struct_fields__}
    assert fields == {*Client.__struct_fields__} - own | code
