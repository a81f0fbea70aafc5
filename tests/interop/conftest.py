"""A server, people who decide on its pages, and the devices of other people's libraries."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from joserfc.jwk import ECKey

from tests.interop.peer import Library, Peer
from tests.interop.site import Play, Site
from tests.stage.ports import free_port
from tests.stage.program import Notes, Program
from tests.stage.users import CHEAP
from tests.stage.wire import PASSWORD

SCOPE = "openid profile offline_access"
SECRET = "a secret: 100% + Ångström & co"
REGISTRATION_TOKEN = "initial access token of the tests"
API = "https://api.example.com/print"
PRIVATE_KEY = ECKey.generate_key("P-256", {"alg": "ES256", "use": "sig"}, auto_kid=True)


def settings(issuer: str) -> str:
    """One client for each way to authenticate. Passwords are checked in no time."""
    password_hash = CHEAP.hash(PASSWORD)
    digest = sha256(SECRET.encode()).hexdigest()
    members = PRIVATE_KEY.as_dict(private=False)
    key = ", ".join(f'{name} = "{members[name]}"' for name in ("kty", "crv", "x", "y", "kid"))
    scopes = '["openid", "profile", "email", "offline_access"]'
    return f"""
issuer = "{issuer}"

[server]
trusted_proxies = ["none"]

[device]
interval_s = 1

[log]
format = "json"

[registration]
enabled = true
initial_access_token_sha256 = ["{sha256(REGISTRATION_TOKEN.encode()).hexdigest()}"]
scopes = ["openid", "profile", "offline_access"]

[[clients]]
client_id = "tv"
name = "Living-room TV"
scopes = {scopes}
resources = ["{API}"]

[[clients]]
client_id = "brief"
name = "Living-room TV, in a hurry"
scopes = {scopes}
# Polls come after 3 s and 6 s. At the end, no library can give up and ask at the same moment.
lifetime_s = 5
interval_s = 3

[[clients]]
client_id = "bound"
name = "Living-room TV with a key"
scopes = {scopes}
dpop = "required"
pkce = "required"

[[clients]]
client_id = "basic"
name = "Console"
scopes = {scopes}
auth_method = "client_secret_basic"
secret_sha256 = "{digest}"

[[clients]]
client_id = "post"
name = "Console with a form"
scopes = {scopes}
auth_method = "client_secret_post"
secret_sha256 = "{digest}"

[[clients]]
client_id = "reader"
name = "Resource server"
auth_method = "client_secret_basic"
secret_sha256 = "{digest}"
introspect = true

[[clients]]
client_id = "rs256"
name = "Living-room TV with RS256"
scopes = {scopes}
algorithm = "RS256"

[[clients]]
client_id = "either"
name = "Console with either way"
scopes = {scopes}
auth_method = "client_secret"
secret_sha256 = "{digest}"

[[clients]]
client_id = "signed"
name = "Console with a key"
scopes = {scopes}
auth_method = "private_key_jwt"
jwks = {{ keys = [{{ {key} }}] }}

[[users]]
username = "ada"
name = "Ada Lovelace"
email = "ada@example.com"
password_hash = "{password_hash}"
"""


@pytest.fixture(scope="session")
def notes() -> Notes:
    notes = Notes()
    notes.add(PASSWORD, SECRET, REGISTRATION_TOKEN)
    return notes


@contextmanager
def served_site(address: str, issuer: str, notes: Notes) -> Iterator[Site]:
    """A server at `address` with this issuer. It must log no secret."""
    with TemporaryDirectory(prefix="df-") as name:
        program = Program(Path(name), ("--workers", "2"), notes)
        program.config.write_text(settings(issuer), encoding="utf-8")
        program.url = address
        try:
            program.start()
            yield Site(program, issuer)
        finally:
            program.end()
        logged = json.dumps(program.log)
        assert not notes.found_in(logged), "a secret was logged"
        assert not program.stray


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest, notes: Notes) -> Iterator[Site]:
    """A server; its issuer has the path that a test may name as the parameter."""
    address = f"http://127.0.0.1:{free_port()}"
    with served_site(address, address + getattr(request, "param", ""), notes) as served:
        yield served


@pytest.fixture
def play(site: Site, notes: Notes) -> Iterator[Play]:
    """Runs the program of a library, as the client "tv" unless it is told another."""
    running: list[Peer] = []

    def start(library: Library, **asked: object) -> Peer:
        known = {"issuer": site.issuer, "client_id": "tv", "auth": "none", "scope": SCOPE}
        running.append(Peer(library, known | asked, notes))
        return running[-1]

    yield start
    for peer in running:
        peer.end()
