"""Real providers as processes, and a server at which people sign in through one of them."""

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from joserfc.jwk import ECKey

from tests.interop.peer import GO_PROVIDER, OIDC_PROVIDER, Library
from tests.stage.ports import free_port
from tests.stage.program import Notes, Program, environment
from tests.stage.waiting import PATIENCE_S

SECRET = "a secret: 100% & more"

SETTINGS = """
[log]
level = "debug"
format = "json"

[server]
trusted_proxies = ["none"]

[sign_in]
password = false

[[clients]]
client_id = "tv"
name = "Living-room TV"
scopes = ["openid", "profile", "email", "offline_access"]
interval_s = 1

[[upstream]]
id = "acme"
name = "Acme"
client_id = "deviceflow"
allow_create = true
"""

ONLY_EXAMPLE = ('email_domains = ["example.com"]', 'acr_values = ["urn:example:mfa"]')
"""Who may come in from npm's provider."""


@contextmanager
def running_oidc_provider(program: Program, *, jwks: object = None) -> Iterator[str]:
    """Npm's oidc-provider for `program`, until the block ends; its issuer.

    It skips the test where it is not installed. `jwks`: None for a client with a secret.
    """
    port = free_port()
    options = {
        "port": port,
        "back": f"{program.url}/login/upstream/acme/callback",
        "signed_out": f"{program.url}/logout",
        "backchannel": f"{program.url}/login/upstream/acme/logout",
        "jwks": jwks,
    }
    with _running(OIDC_PROVIDER, options):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running_go_provider(program: Program) -> Iterator[str]:
    """The provider of zitadel/oidc, in the same way. Its issuer ends in a slash."""
    port = free_port()
    options = {"port": port, "back": f"{program.url}/login/upstream/acme/callback"}
    with _running(GO_PROVIDER, options):
        yield f"http://localhost:{port}/"


@contextmanager
def _running(library: Library, options: Mapping[str, object]) -> Iterator[None]:
    library.check()
    command = [*library.command, json.dumps(options)]
    variables = environment() | {"CLIENT_SECRET": SECRET}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables) as process:
        assert process.stdout is not None
        try:
            assert any(line.strip() == "listening" for line in process.stdout), "it has ended"
            yield
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


class FederatedSite(NamedTuple):
    """The server, and the issuer of the provider beside it."""

    program: Program
    issuer: str


@contextmanager
def running_federated_site(*, mode: str, has_key: bool) -> Iterator[FederatedSite]:
    """The server, and npm's provider beside it, until the block ends.

    `mode`: how answers come, `has_key`: whether the server has a key in place of a secret.
    """
    key = ECKey.generate_key("P-256", {"alg": "ES256", "use": "sig"}, auto_kid=True)
    with _program() as program:
        (program.config.parent / "key.pem").write_bytes(key.as_pem(private=True))
        credential = 'key_file = "key.pem"' if has_key else f'client_secret = "{SECRET}"'
        jwks = {"keys": [key.as_dict(private=False)]} if has_key else None
        lines = [f'response_mode = "{mode}"', credential, *ONLY_EXAMPLE]
        with running_oidc_provider(program, jwks=jwks) as issuer:
            yield _started(program, issuer, lines)


@contextmanager
def running_go_site() -> Iterator[FederatedSite]:
    """The server, and the provider of zitadel/oidc beside it, until the block ends."""
    with _program() as program, running_go_provider(program) as issuer:
        yield _started(program, issuer, [f'client_secret = "{SECRET}"'])


@contextmanager
def _program() -> Iterator[Program]:
    """The server, not started yet, whose address is known."""
    with TemporaryDirectory(prefix="df-") as folder:
        program = Program(Path(folder), (), Notes())
        program.url = f"http://127.0.0.1:{free_port()}"
        program.notes.add(SECRET)
        try:
            yield program
        finally:
            program.end()


def _started(program: Program, issuer: str, lines: Iterable[str]) -> FederatedSite:
    text = SETTINGS + "\n".join([f'issuer = "{issuer}"', *lines, ""])
    program.config.write_text(text, encoding="utf-8")
    program.start()
    return FederatedSite(program, issuer)
