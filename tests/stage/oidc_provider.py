"""npm's oidc-provider as a process, and a server at which people sign in through it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from joserfc.jwk import ECKey

from tests.interop.peer import OIDC_PROVIDER
from tests.stage.ports import free_port
from tests.stage.program import Notes, Program
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
email_domains = ["example.com"]
acr_values = ["urn:example:mfa"]
"""


@contextmanager
def running_oidc_provider(program: Program, *, jwks: object = None) -> Iterator[str]:
    """The provider for `program`, until the block ends; its issuer. Skips where it is missing."""
    OIDC_PROVIDER.check()
    port = free_port()
    options = {
        "port": port,
        "back": f"{program.url}/login/upstream/acme/callback",
        "signed_out": f"{program.url}/logout",
        "backchannel": f"{program.url}/login/upstream/acme/logout",
        "jwks": jwks,
    }
    command = [*OIDC_PROVIDER.command, json.dumps(options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert any(line.strip() == "listening" for line in process.stdout), "it has ended"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


class FederatedSite(NamedTuple):
    """The server, and the issuer of the provider beside it."""

    program: Program
    issuer: str


@contextmanager
def running_federated_site(*, mode: str, has_key: bool) -> Iterator[FederatedSite]:
    """The server, and the provider beside it, until the block ends.

    `mode`: how answers come, `has_key`: whether the server has a key in place of a secret.
    """
    key = ECKey.generate_key("P-256", {"alg": "ES256", "use": "sig"}, auto_kid=True)
    with TemporaryDirectory(prefix="df-") as folder:
        program = Program(Path(folder), (), Notes())
        program.url = f"http://127.0.0.1:{free_port()}"
        program.notes.add(SECRET)
        (Path(folder) / "key.pem").write_bytes(key.as_pem(private=True))
        credential = 'key_file = "key.pem"' if has_key else f'client_secret = "{SECRET}"'
        jwks = {"keys": [key.as_dict(private=False)]} if has_key else None
        with running_oidc_provider(program, jwks=jwks) as issuer:
            lines = [f'issuer = "{issuer}"', f'response_mode = "{mode}"', credential, ""]
            program.config.write_text(SETTINGS + "\n".join(lines), encoding="utf-8")
            try:
                program.start()
                yield FederatedSite(program, issuer)
            finally:
                program.end()
