"""How this server proves to a provider who it is."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from deviceflow.config import Upstream
from deviceflow.core.assertion import TYPE
from deviceflow.upstream.credential import Credential
from deviceflow.upstream.errors import Cause, UpstreamError
from tests.stage.provider import Key
from tests.upstream.test_metadata import ISSUER, read

NOW = 1_793_887_400
EC = ECKey.generate_key("P-256", private=True, auto_kid=True)
ED = OKPKey.generate_key("Ed25519", {"alg": "Ed25519", "kid": "own"}, private=True)


def credential(**fields: Any) -> Credential:  # noqa: ANN401, settings
    upstream = Upstream(id="acme", issuer=ISSUER, client_id="device flow", **fields)
    return Credential(upstream=upstream, clock=lambda: NOW)


def test_basic_is_the_default() -> None:
    """RFC 6749 2.3.1: both parts are encoded before they are joined."""
    form, headers = credential(client_secret="a:b ü".replace("ü", "%")).authenticate(read())
    assert form == {}
    kind, _, value = headers["Authorization"].partition(" ")
    assert (kind, b64decode(value)) == ("Basic", b"device+flow:a%3Ab+%25")


@pytest.mark.parametrize(
    ("methods", "setting", "is_post"),
    [
        (["client_secret_post"], None, True),
        (["client_secret_post", "client_secret_basic"], None, False),
        (["client_secret_basic"], "client_secret_post", True),
        (["client_secret_post"], "client_secret_basic", False),
        (["tls_client_auth"], None, False),
    ],
)
def test_what_fits_the_provider(methods: list[str], setting: Any, *, is_post: bool) -> None:  # noqa: ANN401
    metadata = read(token_endpoint_auth_methods_supported=methods)
    form, headers = credential(client_secret="s", auth_method=setting).authenticate(metadata)
    assert form == ({"client_id": "device flow", "client_secret": "s"} if is_post else {})
    assert ("Authorization" in headers) is not is_post


def test_a_secret_in_a_file_counts_at_once(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    own = credential(client_secret_file=str(file), auth_method="client_secret_post")
    for secret in ("first", "second"):
        file.write_text(f"{secret}\n", encoding="utf-8")
        assert own.authenticate(read()).form["client_secret"] == secret


def test_a_secret_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_SECRET", "from a variable")
    own = credential(client_secret_env="ACME_SECRET", auth_method="client_secret_post")
    assert own.authenticate(read()).form["client_secret"] == "from a variable"
    own.check()


@pytest.mark.parametrize("kty", ["EC", "RSA", "OKP"])
@pytest.mark.parametrize("is_pem", [True, False], ids=["PEM", "JWK"])
def test_a_private_key(tmp_path: Path, kty: str, *, is_pem: bool) -> None:
    ready: dict[str, Key] = {"EC": EC, "OKP": ED}
    key = ready.get(kty) or RSAKey.generate_key(2048, private=True)
    file = tmp_path / "key"
    file.write_bytes(
        key.as_pem(private=True) if is_pem else json.dumps(key.as_dict(private=True)).encode()
    )
    form, headers = credential(key_file=str(file)).authenticate(read())
    assert headers == {}
    assert form["client_id"] == "device flow"
    assert form["client_assertion_type"] == TYPE
    algorithms = ["ES256", "RS256", "Ed25519"]
    token = jwt.decode(form["client_assertion"], key, algorithms=algorithms)
    assert token.claims["iss"] == token.claims["sub"] == "device flow"
    assert token.claims["aud"] == ISSUER
    assert token.claims["exp"] == NOW + 60
    assert token.header["kid"]


def test_the_id_of_a_key_and_the_audience(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(EC.as_pem(private=True))
    own = credential(key_file=str(file), key_id="k-1", preset="okta")
    token = jwt.decode(own.authenticate(read()).form["client_assertion"], EC)
    assert token.header["kid"] == "k-1"
    assert token.claims["aud"] == f"{ISSUER}/token"


def test_each_assertion_is_another_one(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(EC.as_pem(private=True))
    own = credential(key_file=str(file))
    assertions = [own.authenticate(read()).form["client_assertion"] for _ in range(3)]
    assert len({str(jwt.decode(each, EC).claims["jti"]) for each in assertions}) == 3


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no key",
        b"{",
        b'{"kty": "EC"}',
        EC.as_pem(private=False),
        json.dumps(EC.as_dict(private=False)).encode(),
        json.dumps(OctKey.generate_key(256).as_dict(private=True)).encode(),
        b"\xff\xfe",
    ],
    ids=["empty", "text", "cut", "no curve", "public PEM", "public JWK", "symmetric", "bytes"],
)
def test_what_is_no_private_key(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(UpstreamError, match="no private key") as caught:
        credential(key_file=str(file)).check()
    assert caught.value.cause is Cause.BAD_CREDENTIAL


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    for fields in ({"client_secret_file": missing}, {"key_file": missing}):
        with pytest.raises(UpstreamError, match="No such file"):
            credential(**fields).check()
    with pytest.raises(UpstreamError, match="NO_SUCH_VARIABLE: there is no secret"):
        credential(client_secret_env="NO_SUCH_VARIABLE").check()
    (tmp_path / "missing").write_text("\n", encoding="utf-8")
    with pytest.raises(UpstreamError, match="there is no secret"):
        credential(client_secret_file=missing).check()


def test_a_secret_is_in_no_error() -> None:
    upstream = Upstream(id="acme", issuer=ISSUER, client_id="x", client_secret="hush")
    assert msgspec.structs.asdict(upstream)["client_secret"] == "hush"
    assert "hush" not in repr(upstream)
