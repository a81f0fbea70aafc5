"""`deviceflow check`: its output and its exit status."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deviceflow.cli.check import check, warnings
from deviceflow.config import (
    Admin,
    AuditSettings,
    Device,
    Keys,
    Log,
    Phishing,
    Redis,
    Registration,
    Server,
    Settings,
    SignIn,
    Tokens,
    Tracing,
)
from deviceflow.core.client import Client
from deviceflow.core.resources import ProtectedResource
from deviceflow.core.user_code import NUMERIC, UserCodeFormat
from deviceflow.signing.keys import new_key
from tests.stage.checkout import SHIPPED_SETTINGS
from tests.stage.valkey import Valkey
from tests.stage.waiting import until_outside

CLIENT = Client(client_id="tv", name="TV", scopes=("openid",))
API = ProtectedResource(resource="https://api.example", scopes=("print",))
FILES = ProtectedResource(resource="https://files.example", scopes=("files",))
METER = Client(
    client_id="meter",
    name="Meter",
    auth_method="tls_client_auth",
    tls_client_auth_subject_dn="CN=meter",
)
NO_FACTORS = SignIn(passkeys=False, totp=False)
SIGNS_UP = Registration(scopes=("openid", "admin"))
VAULT = Client(client_id="vault", name="Vault", sign_in="phishing_resistant")
POINT = {
    member: value for member, value in new_key("ES256", 0).jwk.items() if member not in {"d", "kid"}
}
OFF_CURVE = Client(
    client_id="signs",
    name="Signs",
    auth_method="private_key_jwt",
    jwks={"keys": [POINT, POINT | {"x": POINT["y"]}]},
)
WORDS = {"openid": "Know who you are", "print": "Print", "files": "Read your files"}
EVERYWHERE = "0.0.0.0"  # noqa: S104 - never bound


def run(file: Path, **environ: str) -> Result:
    return CliRunner().invoke(check, [str(file)], env=environ)


def test_the_shipped_file_is_ok_without_a_warning() -> None:
    result = run(SHIPPED_SETTINGS)
    assert result.stdout == f"{SHIPPED_SETTINGS}: ok (1 client, 0 users)\n"
    assert result.stderr == ""
    assert result.exit_code == 0


def test_a_file_that_a_setting_names_is_read(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[pages]\ngeoip_file = "places.mmdb"\n')
    result = run(file)
    named = tmp_path / "places.mmdb"
    assert result.stderr == (
        f"{file}: pages.geoip_file: {named}: cannot be read: No such file or directory;"
        " expected an MMDB file\n"
    )
    assert (result.stdout, result.exit_code) == ("", 1)


def test_problems_go_to_stderr_one_line_each(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text('[server]\nport = "abc"\nprot = 1\n')
    result = run(file)
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f'{file}: server.prot: unknown key; did you mean "port"?',
        f'{file}: server.port: got "abc"; expected a whole number from 0 to 65535',
    ]
    assert result.exit_code == 1


def test_a_missing_file_is_a_problem_like_others(tmp_path: Path) -> None:
    result = run(tmp_path / "none.toml")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{tmp_path / 'none.toml'}: cannot be read: ")


def test_the_environment_is_checked_too() -> None:
    result = run(SHIPPED_SETTINGS, DEVICEFLOW_SERVER_PORT="abc")
    assert result.exit_code == 1
    assert result.stderr.startswith('DEVICEFLOW_SERVER_PORT: server.port: got "abc"; ')


def test_a_provider_whose_secret_is_missing(tmp_path: Path) -> None:
    """It is said before a person finds out, and the secret of another one is not shown."""
    file = tmp_path / "deviceflow.toml"
    file.write_text(
        '[[clients]]\nclient_id = "tv"\nname = "TV"\n'
        '[[upstream]]\nid = "acme"\nissuer = "https://sso.example.com"\nclient_id = "x"\n'
        'client_secret_file = "missing"\n'
        '[[upstream]]\nid = "open"\nissuer = "https://accounts.google.com"\nclient_id = "x"\n'
        'client_secret = "hush"\npreset = "google"\nallow_create = true\ntrust_email = true\n'
        '[[upstream]]\nid = "typed"\nissuer = "https://sso.example.com"\nclient_id = "x"\n'
        'client_secret = "hush"\ntrust_email = true\nemail_domains = ["example.com"]\n'
    )
    result = run(file)
    secret, everybody, typed = result.stderr.splitlines()
    assert f"upstream[0]: nobody can sign in with it: {tmp_path / 'missing'}: cannot" in secret
    assert "upstream[1].allow_create: everybody with a Google account" in everybody
    assert "upstream[2].trust_email: people who can type an address" in typed
    assert "hush" not in result.output
    assert result.exit_code == 0


def test_warnings_go_to_stderr_and_the_status_is_0(tmp_path: Path) -> None:
    file = tmp_path / "empty.toml"
    file.write_text("")
    result = run(file)
    assert result.stdout == f"{file}: ok (0 clients, 0 users)\n"
    assert result.stderr == (
        f"{file}: warning: clients: none is enabled, so no device can ask for a code;"
        " add [[clients]]\n"
    )
    assert result.exit_code == 0


def test_texts_of_the_operator_are_read(tmp_path: Path) -> None:
    file, texts = tmp_path / "deviceflow.toml", tmp_path / "texts"
    file.write_text('[pages]\ntexts_dir = "texts"\nlanguages = ["en", "sv"]\n', "utf-8")
    missing = run(file)
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert (
        missing.stderr == f"{file}: {texts / 'sv.po'}: there is no such file, so no texts in sv\n"
    )
    texts.mkdir()
    (texts / "sv.po").write_text('msgid "language.name"\nmsgstr "Svenska"\n', "utf-8")
    assert run(file).exit_code == 0
    (texts / "en.po").write_text("msgid", "utf-8")
    assert run(file).stderr.startswith(f"{file}: {texts / 'en.po'}: ")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(), "clients: none is enabled"),
        (
            Settings(clients=(Client(client_id="tv", name="TV", enabled=False),)),
            "clients: none is enabled",
        ),
        (
            Settings(clients=(CLIENT,), server=Server(host=EVERYWHERE)),
            "issuer: http://127.0.0.1:8628 is only good on this machine",
        ),
        (
            Settings(
                clients=(CLIENT,), server=Server(host="192.0.2.1"), issuer="http://localhost:80"
            ),
            "issuer: http://localhost:80 is only good on this machine",
        ),
        (
            Settings(clients=(CLIENT,), tokens=Tokens(access_token_lifetime_s=3601)),
            "tokens.access_token_lifetime_s: ",
        ),
        (
            Settings(clients=(CLIENT,), server=Server(trusted_proxies=("10.0.0.0/8", "::/0"))),
            "server.trusted_proxies: ::/0 lets everybody",
        ),
        (
            Settings(clients=(CLIENT,), issuer="https://a.example"),
            "server.trusted_proxies: empty, though https needs a proxy",
        ),
        (
            Settings(clients=(CLIENT,), tracing=Tracing(enabled=True), log=Log(level="warning")),
            "tracing.enabled: traces are made from lines of the level info",
        ),
        (
            Settings(clients=(CLIENT,), device=Device(lifetime_s=59)),
            "device.lifetime_s: 59 s is too short",
        ),
        (Settings(clients=(CLIENT,), device=Device(hold_s=4)), "device.hold_s: 4 s is longer than"),
        (
            Settings(clients=(Client(client_id="a", name="A", hold_s=10),)),
            "clients[0].hold_s: 10 s is longer than",
        ),
        (
            Settings(clients=(CLIENT,), device=Device(user_code=UserCodeFormat(alphabet=NUMERIC))),
            "device.user_code: 26.6 bits",
        ),
        (
            Settings(
                clients=(Client(client_id="a", name="A", user_code=UserCodeFormat(length=6)),)
            ),
            "clients[0].user_code: 25.9 bits",
        ),
        (
            Settings(clients=(CLIENT, Client(client_id="a", name="A", scopes=("tv:watch",)))),
            'clients[1].scopes: "tv:watch" has no words for people',
        ),
        (
            Settings(clients=(CLIENT,), resources=(API,)),
            'resources[0].scopes: no client of this file may ask for "print"',
        ),
        (
            Settings(
                clients=(CLIENT, Client(client_id="a", name="A", scopes=("print", "files"))),
                resources=(API, FILES),
                scopes=WORDS,
            ),
            "clients[1].scopes: belong to several resources",
        ),
        (
            Settings(clients=(METER,), server=Server(trusted_proxies=("10.0.0.1",))),
            'clients[0].auth_method: "tls_client_auth" lets no client in without',
        ),
        (
            Settings(clients=(CLIENT, OFF_CURVE)),
            "clients[1].jwks.keys[1]: no signature can be checked with it",
        ),
        (
            Settings(clients=(CLIENT,), server=Server(admin_host=EVERYWHERE)),
            "server.admin_host: 0.0.0.0 shows metrics, and with admin.token_file the API",
        ),
        (
            Settings(clients=(VAULT,)),
            'clients[0].sign_in: "phishing_resistant" is more than people can add',
        ),
        (
            Settings(clients=(CLIENT,), sign_in=NO_FACTORS, phishing=Phishing(if_far="step_up")),
            'phishing.if_far: "step_up" needs a second factor',
        ),
        (
            Settings(
                clients=(CLIENT,),
                registration=SIGNS_UP,
                phishing=Phishing(barred_scopes=("admin",)),
            ),
            'registration.scopes: "admin" is refused, because phishing.barred_scopes has it',
        ),
        (
            Settings(clients=(CLIENT,), audit=AuditSettings(sinks=())),
            "audit.sinks: empty, so sign-ins, refusals and changes leave no trace",
        ),
        (
            Settings(clients=(CLIENT,), device=Device(enabled_by_default=False)),
            "device.enabled_by_default: false, and no client has device = true",
        ),
    ],
)
def test_what_is_warned_about(settings: Settings, expected: str) -> None:
    (warning,) = warnings(settings)
    assert warning.startswith(expected)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(clients=(CLIENT,)),
        Settings(
            clients=(CLIENT,),
            server=Server(host=EVERYWHERE, trusted_proxies=("10.0.0.1",)),
            issuer="https://a.example",
        ),
        Settings(
            clients=(CLIENT,),
            server=Server(trusted_proxies=("none",)),
            issuer="https://a.example",
        ),
        Settings(clients=(CLIENT,), tokens=Tokens(access_token_lifetime_s=3600)),
        Settings(clients=(CLIENT,), device=Device(hold_s=3)),
        Settings(
            clients=(CLIENT,), device=Device(user_code=UserCodeFormat(alphabet=NUMERIC, length=9))
        ),
        Settings(
            clients=(Client(client_id="a", name="A", scopes=("openid", "print")),),
            resources=(API,),
            scopes=WORDS,
        ),
        Settings(
            clients=(CLIENT,),
            resources=(API,),
            registration=Registration(enabled=True, scopes=("print",)),
        ),
        Settings(
            clients=(METER,),
            server=Server(trusted_proxies=("10.0.0.1",), client_certificate_header="X-Subject"),
        ),
        Settings(clients=(VAULT,), issuer="http://localhost:8628"),
    ],
)
def test_what_is_not_warned_about(settings: Settings) -> None:
    assert list(warnings(settings)) == []


def test_the_store_describes_itself(tmp_path: Path, start_valkey: Callable[..., Valkey]) -> None:
    server = start_valkey({"maxmemory-policy": "allkeys-lru"})
    file = tmp_path / "deviceflow.toml"
    file.write_text(f'[redis]\nurl = "{server.url}"\n', encoding="utf-8")
    result = CliRunner().invoke(check, ["--store", str(file)])
    assert result.exit_code == 0, result.output
    for line in ("role: primary, 0 replicas", "keeps its data on disk: no", "policy allkeys-lru"):
        assert line in result.stdout
    for warning in ("maxmemory-policy is allkeys-lru", "maxmemory is not set", "nothing on disk"):
        assert warning in result.stderr


@pytest.mark.parametrize("confirming", [1, 2])
def test_a_switch_must_find_every_decision(
    tmp_path: Path, start_valkey: Callable[..., Valkey], confirming: int
) -> None:
    """A replica that need not confirm may be the one that takes over."""
    primary = start_valkey({"repl-diskless-sync-delay": "0"}, tcp=True)
    for _ in range(2):
        start_valkey({"replicaof": f"127.0.0.1 {primary.port}"})
    with primary.client() as client:
        until_outside(lambda: client.wait(2, 100) == 2)
    file = tmp_path / "deviceflow.toml"
    file.write_text(
        f'[redis]\nurl = "{primary.url}"\ndurability = "replicated"\nreplicas = {confirming}\n',
        encoding="utf-8",
    )
    result = CliRunner().invoke(check, ["--store", str(file)])
    assert "role: primary, 2 replicas" in result.stdout
    assert ("redis.replicas = 2 loses none" in result.stderr) is (confirming == 1)


def test_a_store_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "deviceflow.toml"
    file.write_text('[redis]\nurl = "redis://:hunter22@127.0.0.1:1"\n', encoding="utf-8")
    result = CliRunner().invoke(check, ["--store", str(file)])
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "deviceflow: cannot use the store at 127.0.0.1:1: nothing listens there (redis.url)"
    )


@pytest.mark.parametrize(
    ("token", "mode", "wrong"),
    [("1" * 32, 0o600, ""), ("1" * 31, 0o600, "line 1: shorter"), ("1" * 32, 0o644, "mode 0644")],
)
def test_the_file_of_operators_tokens(tmp_path: Path, token: str, mode: int, wrong: str) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(token, encoding="ascii")
    tokens.chmod(mode)
    settings = Settings(clients=(CLIENT,), admin=Admin(token_file=str(tokens)))
    found = [line for line in warnings(settings) if line.startswith("admin.token_file")]
    assert bool(found) == bool(wrong)
    assert all(wrong in line and token not in line for line in found)


@pytest.mark.parametrize(
    ("url", "is_warned"),
    [
        (None, False),
        ("redis://127.0.0.1:6379/0", False),
        ("unix:///run/redis.sock", False),
        ("rediss://redis.example.com:6379/0", True),
        ("redis+sentinel://127.0.0.1:26379,192.0.2.1:26379/primary", True),
    ],
)
def test_keys_that_lie_on_another_host(url: str | None, *, is_warned: bool) -> None:
    for keys in (Keys(), Keys(envelope_keys=("ab" * 32,))):
        settings = Settings(clients=(CLIENT,), redis=Redis(url=url), keys=keys)
        found = [line for line in warnings(settings) if not line.startswith("redis.url: ")]
        expected = is_warned and not keys.has_envelope
        assert [line.startswith("keys: the store is on another host") for line in found] == (
            [True] if expected else []
        )


def test_an_envelope_file_that_is_no_good(tmp_path: Path) -> None:
    keys = Keys(envelope_file=str(tmp_path / "missing"))
    (line,) = warnings(Settings(clients=(CLIENT,), keys=keys))
    assert line.startswith("keys.envelope_file: ")
    assert line.endswith(
        "cannot be read: No such file or directory; with this, the server does not start"
    )
