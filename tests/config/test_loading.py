"""The sources of settings, and the messages about wrong ones."""

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deviceflow.config import (
    ConfigError,
    Server,
    Settings,
    User,
    load,
    loading,
    setting_paths,
    variable_for,
)
from deviceflow.core.client import Client
from deviceflow.core.resources import ProtectedResource
from deviceflow.core.user_code import NUMERIC, UserCodeFormat
from tests.config.documents import CLIENT, DIGEST, ISSUER, USER, problems, read
from tests.stage.examples import unless_few


def test_without_anything_all_is_default() -> None:
    assert load(None, environ={}) == Settings()
    assert load(None, environ={"HOME": "/", "DEVICE": "x"}).server.port == 8628


def test_environment_wins_over_file_and_command_line_over_both(tmp_path: Path) -> None:
    file = tmp_path / "deviceflow.toml"
    file.write_text("[server]\nport = 1\nworkers = 2\nkeepalive_s = 3\n")
    loaded = load(
        file,
        environ={"DEVICEFLOW_SERVER_PORT": "10", "DEVICEFLOW_SERVER_WORKERS": "20"},
        overrides={"server.port": 100, "server.host": None},
    )
    data_dir = str(tmp_path / "deviceflow-data")
    assert loaded.server == Server(port=100, workers=20, keepalive_s=3, data_dir=data_dir)


@pytest.mark.parametrize(
    ("line", "environ", "overrides", "found"),
    [
        ("", {}, {}, "{file}/deviceflow-data"),
        ('data_dir = "data"', {}, {}, "{file}/data"),
        ('data_dir = "/var/lib/deviceflow"', {}, {}, "/var/lib/deviceflow"),
        ('data_dir = "data"', {"DEVICEFLOW_SERVER_DATA_DIR": "here"}, {}, "here"),
        ('data_dir = "data"', {}, {"server.data_dir": "here"}, "here"),
        ('data_dir = "data"', {}, {"server.data_dir": None}, "{file}/data"),
    ],
)
def test_the_store_is_beside_the_file(
    line: str,
    environ: dict[str, str],
    overrides: dict[str, object],
    found: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So a command uses the server's store, wherever and by whatever path it is called."""
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc" / "deviceflow.toml"
    file.write_text(f"[server]\n{line}\n")
    monkeypatch.chdir(tmp_path)
    expected = found.format(file=tmp_path / "etc")
    for path in (file, Path("etc/deviceflow.toml")):
        loaded = load(path, environ=environ, overrides=overrides)
        assert loaded.server.data_dir == expected
    named = {"DEVICEFLOW_CONFIG": str(file)}
    assert load(None, environ=environ | named, overrides=overrides).server.data_dir == expected


def test_text_without_quotes(tmp_path: Path) -> None:
    file = tmp_path / "deviceflow.toml"
    file.write_text("issuer = https://login.example\n")
    with pytest.raises(ConfigError, match="text needs quotes"):
        load(file, environ={})


def test_environment_names_the_file_unless_the_command_line_does(tmp_path: Path) -> None:
    named, given_ = tmp_path / "a.toml", tmp_path / "b.toml"
    named.write_text("[server]\nport = 1\n")
    given_.write_text("[server]\nport = 2\n")
    environ = {"DEVICEFLOW_CONFIG": str(named)}
    assert load(None, environ=environ).server.port == 1
    assert load(given_, environ=environ).server.port == 2


def test_environment_values_have_the_settings_types(tmp_path: Path) -> None:
    environ = {
        "DEVICEFLOW_ISSUER": "https://login.example",
        "DEVICEFLOW_SERVER_LANE": "false",
        "DEVICEFLOW_SERVER_TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8::/32",
        "DEVICEFLOW_REDIS_URL": "redis://:secret@redis:6379/0",
        "DEVICEFLOW_DEVICE_USER_CODE_LENGTH": "9",
        "DEVICEFLOW_DEVICE_USER_CODE_ALPHABET": "numeric",
        "DEVICEFLOW_TOKENS_ALGORITHM": "Ed25519",
        "DEVICEFLOW_PAGES_TITLE": "Müllers Geräte",
    }
    loaded = read(CLIENT, tmp_path, environ)
    assert loaded.issuer == "https://login.example"
    assert loaded.server.lane is False
    assert loaded.server.trusted_proxies == ("10.0.0.0/8", "2001:db8::/32")
    assert loaded.redis.url == "redis://:secret@redis:6379/0"
    assert loaded.device.user_code == UserCodeFormat(alphabet=NUMERIC, length=9)
    assert loaded.tokens.algorithm == "Ed25519"
    assert loaded.pages.title == "Müllers Geräte"
    assert loaded.clients[0].client_id == "tv"


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    environ = {"DEVICEFLOW_SERVER_PORT": "", "DEVICEFLOW_CONFIG": "", "DEVICEFLOW_NONSENSE": ""}
    assert load(None, environ=environ) == Settings()
    assert read("[server]\nport = 9\n", tmp_path, environ).server.port == 9


def test_each_setting_has_a_variable_of_its_own() -> None:
    variables = [variable_for(path) for path in setting_paths()]
    assert len(set(variables)) == len(variables)
    assert "DEVICEFLOW_ISSUER" in variables
    assert "DEVICEFLOW_REDIS_REPLICA_TIMEOUT_MS" in variables
    assert "DEVICEFLOW_DEVICE_USER_CODE_GROUP" in variables
    tables = "DEVICEFLOW_(CLIENTS|USERS|SCOPES|RESOURCES)"
    assert not [name for name in variables if re.match(tables, name)]


def _as_variable(value: object) -> str:
    """Return the environment variable's text for the value of a setting."""
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("path", setting_paths())
def test_every_setting_can_come_from_the_environment_and_the_command_line(path: str) -> None:
    value: Any = msgspec.to_builtins(Settings())
    for key in path.split("."):
        value = value[key]
    samples: dict[str, str | int] = {
        "issuer": "https://a.example",
        "redis.url": "redis://r",
        "admin.token_file": "/run/secrets/admin",
        "keys.envelope_file": "/run/secrets/envelope",
        "server.trusted_proxies": "::1",
        "server.client_certificate_header": "X-Subject",
        "pages.geoip_file": "places.mmdb",
        "pages.logo": "logo.png",
        "device.verification_uri": "https://tv.example/go",
        "pages.accent": "#0b5fff",
        "pages.templates_dir": "templates",
        "sign_in.trusted_header": "X-User",
        "registration.initial_access_token_sha256": DIGEST,
        "audit.file": "/var/log/audit.jsonl",
        "audit.webhook_url": "https://siem.example/x",
        "audit.webhook_secret": "s" * 32,
        "security_events.url": "https://gateway.example/x",
        "security_events.audience": "https://gateway.example",
        "security_events.bearer_token": "t" * 32,
        "notices.webhook_url": "https://hooks.example/x",
        "notices.webhook_secret": "s" * 32,
        "notices.smtp_url": "smtp://mail.example",
        "notices.mail_from": "devices@example.com",
        "pages.texts_dir": "/etc/deviceflow/texts",
        "phishing.max_sign_in_age_s": 300,
        "phishing.max_approvals_per_hour": 20,
    }
    # The values that other settings need for this one.
    needs = {
        "server.client_certificate_header": "server.trusted_proxies",
        "sign_in.trusted_header": "server.trusted_proxies",
        "audit.webhook_url": "audit.webhook_secret",
        "audit.webhook_secret": "audit.webhook_url",
        "security_events.url": "security_events.audience",
        "security_events.audience": "security_events.url",
        "security_events.bearer_token": "security_events.url",
        "notices.webhook_url": "notices.webhook_secret",
        "notices.webhook_secret": "notices.webhook_url",
        "notices.smtp_url": "notices.mail_from",
        "notices.mail_from": "notices.smtp_url",
    }
    beside: dict[str, object] = {}
    need = path
    while (need := needs.get(need, path)) != path:
        beside[need] = samples[need]
        if needs.get(need) in beside:
            break
    text = _as_variable(samples.get(path, value))
    environ = {variable_for(name): _as_variable(value) for name, value in beside.items()}
    by_environment = load(None, environ=environ | {variable_for(path): text})
    overrides = beside | {path: samples.get(path, value)}
    assert load(None, environ={}, overrides=overrides) == by_environment
    assert (by_environment == Settings()) is (path not in samples)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEVICEFLOW_SERVICE_HOST", "10.0.0.1"),
        ("DEVICEFLOW_SERVICE_PORT", "8628"),
        ("DEVICEFLOW_SERVICE_PORT_HTTP", "8628"),
        ("DEVICEFLOW_PORT", "tcp://10.0.0.1:8628"),
        ("DEVICEFLOW_PORT_8628_TCP", "tcp://10.0.0.1:8628"),
        ("DEVICEFLOW_PORT_8628_TCP_ADDR", "10.0.0.1"),
    ],
)
def test_what_kubernetes_says_about_a_service_of_our_name_is_no_setting(
    name: str, value: str
) -> None:
    assert load(None, environ={name: value}) == Settings()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {"DEVICEFLOW_SERVR_PORT": "1"},
            (
                "environment: DEVICEFLOW_SERVR_PORT: unknown variable;"
                ' did you mean "DEVICEFLOW_SERVER_PORT"?'
            ),
        ),
        (
            {"DEVICEFLOW_PORT": "9000"},
            (
                "environment: DEVICEFLOW_PORT: unknown variable;"
                ' did you mean "DEVICEFLOW_SERVER_PORT"?'
            ),
        ),
        (
            {"DEVICEFLOW_SERVER_PORT": "abc"},
            (
                'DEVICEFLOW_SERVER_PORT: server.port: got "abc";'
                " expected a whole number from 0 to 65535"
            ),
        ),
        (
            {"DEVICEFLOW_SERVER_LANE": "maybe"},
            'DEVICEFLOW_SERVER_LANE: server.lane: got "maybe"; expected true or false',
        ),
        (
            {"DEVICEFLOW_SERVER_TRUSTED_PROXIES": "10.0.0.0/8,proxy"},
            (
                'DEVICEFLOW_SERVER_TRUSTED_PROXIES: server.trusted_proxies[1]: got "proxy";'
                ' expected an address or network such as "10.0.0.0/8",'
                ' with no bits set behind the "/8" (or "none" alone)'
            ),
        ),
        (
            {"DEVICEFLOW_DEVICE_INTERVAL_S": "90"},
            (
                "DEVICEFLOW_DEVICE_INTERVAL_S: device.interval_s: got 90;"
                " expected at most device.max_interval_s, which is 60"
            ),
        ),
    ],
)
def test_problems_of_the_environment_name_the_variable(
    environ: dict[str, str], expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, environ=environ)
    assert caught.value.problems == (expected,)


def test_problems_of_the_command_line_say_so() -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, environ={}, overrides={"server.port": 70_000, "server.prt": 1})
    assert caught.value.problems == (
        'command line: server.prt: unknown key; did you mean "port"?',
        "command line: server.port: got 70000; expected a whole number from 0 to 65535",
    )


def test_all_problems_are_reported_at_once_and_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "deviceflow.toml"
    file.write_text(
        'issuer = "http://a.example"\n[server]\nport = "abc"\nworker = 2\n'
        '[device.user_code]\nlength = 2\n[[clients]]\nname = "TV"\n[[users]]\nusername = 5\n'
    )
    with pytest.raises(ConfigError) as caught:
        load(file, environ={"DEVICEFLOW_LOG_LEVEL": "loud"})
    assert set(caught.value.problems) == {
        f'{file}: issuer: got "http://a.example"; {ISSUER}',
        f'{file}: server.port: got "abc"; expected a whole number from 0 to 65535',
        f'{file}: server.worker: unknown key; did you mean "workers"?',
        (
            f"{file}: device.user_code.length: got 2;"
            " expected a whole number from 5 to 32 with 20 different characters"
        ),
        (
            'DEVICEFLOW_LOG_LEVEL: log.level: got "loud";'
            ' expected one of "critical", "debug", "error", "info", "warning"'
        ),
        (
            f"{file}: clients[0].client_id: missing;"
            " expected 1 to 100 printable ASCII characters without spaces"
        ),
        (
            f"{file}: users[0].username: got 5;"
            " expected 1 to 100 characters on one line, with no space at either end and"
            " something to see; none that is invisible or turns the direction of writing"
        ),
        (
            f"{file}: users[0].password_hash: missing;"
            ' expected an Argon2id hash, which starts with "$argon2id$"'
        ),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server = 5", "server: got 5; expected a table"),
        ('server = "x"', 'server: got "x"; expected a table'),
        ("clients = 5", "clients: got 5; expected a list"),
        ("[clients]", "clients: got a table; expected a list"),
        ("clients = [5]", "clients[0]: got 5; expected a table"),
        ("scopes = []", "scopes: got a list; expected a table"),
        (
            "[server]\nport = 8080.0",
            "server.port: got 8080.0; expected a whole number from 0 to 65535",
        ),
        ("[server]\nport = true", "server.port: got true; expected a whole number from 0 to 65535"),
        ("[server]\nport = -1", "server.port: got -1; expected a whole number from 0 to 65535"),
        (
            "[server]\nport = 65536",
            "server.port: got 65536; expected a whole number from 0 to 65535",
        ),
        ("[server]\nport = []", "server.port: got a list; expected a whole number from 0 to 65535"),
        (
            "[server]\nport = {}",
            "server.port: got a table; expected a whole number from 0 to 65535",
        ),
        (
            "[server]\nport = 1979-05-27",
            "server.port: got 1979-05-27; expected a whole number from 0 to 65535",
        ),
        (
            "[server]\nport = 0x" + "f" * 5000,
            (
                "server.port: got a number of more than 64 bits;"
                " expected a whole number from 0 to 65535"
            ),
        ),
        ("[server]\nlane = 1", "server.lane: got 1; expected true or false"),
        ('[server]\nlane = "true"', 'server.lane: got "true"; expected true or false'),
        ("[server]\ntrusted_proxies = 1", "server.trusted_proxies: got 1; expected a list"),
        (
            '[server]\nhost = "a b"',
            'server.host: got "a b"; expected an address or host name, "0.0.0.0" for all',
        ),
        ('[server]\ndata_dir = ""', 'server.data_dir: got ""; expected the path of a folder'),
        (
            '[server]\nhost = "0.0.0.0"\nadmin_host = "0.0.0.0"\nadmin_port = 8628',
            "server.admin_port: got 8628, which server.port is too; expected another port",
        ),
        (
            '[server]\nhost = "192.0.2.1"',
            (
                'issuer: missing, with server.host "192.0.2.1";'
                " expected the https:// URL under which devices and people reach this server"
            ),
        ),
        (
            '[redis]\ndurability = "replicated"',
            (
                'redis.durability: got "replicated" without redis.url;'
                ' expected "local" for the embedded store'
            ),
        ),
        (
            '[keys]\nenvelope_file = "x"\nenvelope_command = ["cat", "x"]',
            (
                "keys.envelope_command: set beside keys.envelope_file;"
                " expected one source of the envelope keys"
            ),
        ),
        (
            '[keys]\nenvelope_keys = "hush"',
            (
                "keys.envelope_keys[0]: got a value that is not shown here;"
                " expected 32 random bytes in base64 or hexadecimal (openssl rand -base64 32)"
            ),
        ),
        (
            '[redis]\ndurability = "both"',
            'redis.durability: got "both"; expected one of "local", "replicated"',
        ),
        (
            '[pages]\naccent = "#ffcc00"',
            (
                'pages.accent: got "#ffcc00", whose contrast on the pages is 1.4 to 1;'
                ' expected 4.5 to 1 or more (WCAG AA), such as "#876c00"'
            ),
        ),
        (
            '[pages]\naccent = "blue"',
            'pages.accent: got "blue"; expected a colour:',
        ),
        (
            '[pages.links]\nImprint = "http://example.com"',
            (
                'pages.links.Imprint: got "http://example.com";'
                " expected the https:// address of a page, without a user name"
            ),
        ),
        (
            "[pages]\nlinks = {"
            + ", ".join(f'"{i}" = "https://a.example"' for i in range(9))
            + "}",
            "pages.links: got 9; expected at most 8",
        ),
        (
            '[device]\nverification_uri = "http://tv.example/go"',
            'device.verification_uri: got "http://tv.example/go"; expected an https:// URL of',
        ),
        (
            f'[device]\nverification_uri = "https://tv.example/{"a" * 22}"',
            (
                f'device.verification_uri: got "https://tv.example/{"a" * 22}";'
                " expected an https:// URL of"
            ),
        ),
        (
            '[device]\nverification_uri = "https://tv.example/oauth2/go"',
            (
                'device.verification_uri: got "https://tv.example/oauth2/go",'
                ' a path that machines use; expected another path, such as "/go"'
            ),
        ),
        (
            '[tokens]\nformat = "reference"',
            'tokens.format: got "reference"; expected one of "jwt", "opaque"',
        ),
        (
            "[registration]\nenabled = true",
            (
                "registration.initial_access_token_sha256: missing;"
                " expected at least one, or anybody could register clients"
            ),
        ),
        (
            '[registration]\ninitial_access_token_sha256 = ["secret"]',
            (
                "registration.initial_access_token_sha256[0]: got a value that is not shown here;"
                " expected the SHA-256 of the secret: 64 digits and lower-case letters a to f"
            ),
        ),
        (
            '[registration]\nscopes = ["a b"]',
            (
                'registration.scopes[0]: got "a b";'
                " expected a scope: printable ASCII without spaces, quotes and backslashes"
            ),
        ),
        (
            '[tokens]\nalgorithm = "HS256"',
            'tokens.algorithm: got "HS256"; expected one of "ES256", "Ed25519", "RS256"',
        ),
        (
            "[tokens]\naccess_token_lifetime_s = 86401",
            "tokens.access_token_lifetime_s: got 86401; expected a whole number from 1 to 86400",
        ),
        (
            "[device]\nlifetime_s = 86401",
            "device.lifetime_s: got 86401; expected a whole number from 1 to 86400",
        ),
        (
            "[device]\ninterval_s = 0",
            "device.interval_s: got 0; expected a whole number from 1 to 3600",
        ),
        (
            "[device]\nmax_wait_s = 5\nhold_s = 6",
            "device.hold_s: got 6; expected at most device.max_wait_s, which is 5",
        ),
        (
            "[device]\ninterval_s = 61",
            "device.interval_s: got 61; expected at most device.max_interval_s, which is 60",
        ),
        ('[scopes]\n"a b" = "x"', 'scopes."a b": got "a b"; expected a scope:'),
        (
            '[scopes]\na = ""',
            (
                'scopes.a: got "";'
                " expected 1 to 100 characters on one line, with no space at either end and"
                " something to see; none that is invisible or turns the direction of writing"
            ),
        ),
        ("prot = 1", "prot: unknown key; expected one of issuer, server, redis,"),
        ("port = 1", "port: unknown key; did you mean the setting server.port?"),
        ("[server]\nissuer = 1", "server.issuer: unknown key; did you mean the setting issuer?"),
        ("[servers]\n", 'servers: unknown key; did you mean "server"?'),
        ('"a\\nb" = 1', '"a\\nb": unknown key; expected one of issuer, server,'),
        ("[device.user_code]\nsize = 1", "device.user_code.size: unknown key; expected one of"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text: str, expected: str, tmp_path: Path) -> None:
    (problem,) = problems(text, tmp_path)
    assert problem.startswith(expected)
    assert expected.endswith((",", ":", "of")) or problem == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("port =", "Invalid value"),
        ("a = 1\na = 2", "Cannot overwrite a value"),
        ("a = " + "9" * 5000, "integer string conversion"),
        ("a = " + "[" * 5000, "nested too deeply"),
    ],
)
def test_what_is_not_toml_is_a_problem(text: str, expected: str, tmp_path: Path) -> None:
    (problem,) = problems(text, tmp_path)
    assert expected in problem


def test_what_is_not_utf_8_is_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "latin.toml"
    file.write_bytes('issuer = "ü"'.encode("latin-1"))
    with pytest.raises(ConfigError, match="expected TOML in UTF-8"):
        load(file, environ={})


def test_a_file_that_cannot_be_loaded_is_a_problem(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    with pytest.raises(ConfigError) as caught:
        load(missing, environ={})
    expected = f"{missing}: cannot be read: No such file or directory; expected a TOML file"
    assert caught.value.problems == (expected,)
    with pytest.raises(ConfigError, match="Is a directory"):
        load(None, environ={"DEVICEFLOW_CONFIG": str(tmp_path)})


@pytest.mark.parametrize(
    "text",
    [
        '[redis]\nurl = "http://:hunter2@redis"',
        'issuer = "https://me:hunter2@a.example"',
        USER.replace("$argon2id$v=19$x", "hunter2"),
        '[[users]]\nusername = "a"\npassword = "hunter2"\n',
        CLIENT + 'auth_method = "client_secret_basic"\nsecret_sha256 = "hunter2"\n',
        CLIENT + 'auth_method = "client_secret_basic"\nsecret_sha256 = ["hunter2"]\n',
    ],
)
def test_secrets_are_never_shown(text: str, tmp_path: Path) -> None:
    assert "hunter2" not in "\n".join(problems(text, tmp_path))


KEYS = sorted(
    {part for path in setting_paths() for part in path.split(".")}
    | {*Settings.__struct_fields__, *Client.__struct_fields__, *User.__struct_fields__}
    | {*ProtectedResource.__struct_fields__}
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    st.booleans()
    | st.integers()
    | st.floats()
    | TEXTS
    | st.sampled_from(["numeric", "https://a.example", "tv", "$argon2id$x", "redis://r", DIGEST]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | TEXTS, inner, max_size=4)
    ),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(st.sampled_from(KEYS) | TEXTS, VALUES, max_size=6)


def toml(value: object) -> str:
    """Write a value as TOML, tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower()


def tried(content: bytes, file: Path) -> None:
    file.write_bytes(content)
    said: tuple[str, ...] | None = None
    try:
        load(file, environ={})
    except ConfigError as error:
        said = error.problems
    assert said != ()
    for problem in said or ():
        assert problem.startswith(str(file))
        assert problem.splitlines() == [problem]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config") / "deviceflow.toml"


@settings(max_examples=unless_few(200), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(document=DOCUMENTS)
@example(document={"server": {"port": 1}, "clients": [{"client_id": "a", "name": "b"}]})
@example(document={"device": {"user_code": {"alphabet": []}}})
@example(document={"device": {"user_code": []}, "clients": {"user_code": 1}})
def test_no_document_raises_anything_else(document: dict[str, Any], file: Path) -> None:
    text = "".join(f"{toml(key)} = {toml(value)}\n" for key, value in document.items())
    assert len(tomllib.loads(text)) == len(document)
    tried(text.encode(), file)


@settings(max_examples=unless_few(100), deadline=None)
@given(
    content=st.binary(max_size=60)
    | st.text("abc[]{}=\"'#.,\n 019-:T\\", max_size=60).map(str.encode)
)
@example(content=b"a" + b".a" * 3_000 + b" = 1")
@example(content=b"issuer" + b".a" * 3_000 + b" = 1")
def test_no_bytes_raise_anything_else(content: bytes, file: Path) -> None:
    tried(content, file)


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 64), ("150000 100000", 2), ("50000 100000", 1), ("nonsense", 64), (None, 64)],
)
def test_the_cores_of_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str | None, expected: int
) -> None:
    """Half a core is one worker; without a quota, all cores count on which the process may run."""
    if quota is not None:
        (tmp_path / "cpu.max").write_text(quota, "ascii")
    monkeypatch.setattr(loading, "_CPU_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    assert loading.cores() == expected


@pytest.mark.parametrize(
    ("given", "value", "missing"),
    [
        ("webhook_url", "https://hooks.example", "webhook_secret"),
        ("webhook_secret", "s" * 32, "webhook_url"),
        ("smtp_url", "smtp://mail.example", "mail_from"),
        ("mail_from", "devices@example.com", "smtp_url"),
    ],
)
def test_a_channel_of_notices_needs_both_of_its_settings(
    tmp_path: Path, given: str, value: str, missing: str
) -> None:
    (problem,) = problems(f'[notices]\n{given} = "{value}"\n', tmp_path)
    assert f"notices.{missing}: missing, with notices.{given}" in problem


@pytest.mark.parametrize(
    ("given", "value", "missing"),
    [
        ("webhook_url", "https://siem.example", "webhook_secret"),
        ("webhook_secret", "s" * 32, "webhook_url"),
    ],
)
def test_the_webhook_of_the_audit_needs_both_of_its_settings(
    tmp_path: Path, given: str, value: str, missing: str
) -> None:
    (problem,) = problems(f'[audit]\n{given} = "{value}"\n', tmp_path)
    assert f"audit.{missing}: missing, with audit.{given}" in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook_url", "http://hooks.example/secret"),
        ("webhook_secret", "secret"),
        ("smtp_url", "smtp://user:secret@mail.example/path"),
        ("smtp_url", "mail.example:secret"),
    ],
)
def test_a_refused_setting_of_notices_is_not_shown(tmp_path: Path, name: str, value: str) -> None:
    found = problems(f'[notices]\n{name} = "{value}"\n', tmp_path)
    assert any(f"notices.{name}: got a value that is not shown here" in line for line in found)
    assert "secret" not in " ".join(found).replace("webhook_secret", "")
