"""`deviceflow clients` on a store that somebody else runs."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec import structs
from msgspec.json import encode as json_bytes

from deviceflow.__main__ import main
from deviceflow.cli import clients as commands
from deviceflow.cli.client_options import UNSET
from deviceflow.config import Settings
from deviceflow.core.client import Client
from deviceflow.core.user_code import NUMERIC, UserCodeFormat
from deviceflow.signing.keys import new_key
from deviceflow.store import keyspace
from tests.stage.commands import Clients, Stored
from tests.stage.valkey import Valkey

Meanwhile = Callable[..., None]
PRINT, FILES = "https://api.example/print", "https://files.example"


def digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def test_a_public_client(clients: Clients, stored: Stored) -> None:
    result = clients("add", "radio", "--name", "Radio", "--scope", "openid profile")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "added radio" in result.stderr
    assert stored("radio") == Client(client_id="radio", name="Radio", scopes=("openid", "profile"))


def test_a_secret_is_printed_once(clients: Clients, stored: Stored, valkey: Valkey) -> None:
    """6749-10.3-a: the store has its hash; it stands alone on stdout, for a pipe."""
    result = clients(
        "add", "api", "--name", "API", "--auth-method", "client_secret_basic", "--introspect"
    )
    secret = result.stdout.strip()
    assert len(secret) == 43
    client = stored("api")
    assert client is not None
    assert client.introspect
    assert client.secret_sha256 == (digest(secret),)
    shown = clients("show", "api").output
    assert json.loads(shown)["secrets"] == 1
    assert "secret_sha256" not in shown
    assert secret not in shown
    assert digest(secret) not in shown
    with valkey.client() as inside:
        assert secret.encode() not in inside.dump("df:clients")


def test_several_secrets(clients: Clients, stored: Stored) -> None:
    """The one before stays good until the next."""
    added = clients("add", "api", "--name", "API", "--auth-method", "client_secret_post")
    secrets = [added.stdout.strip()]
    for _ in range(3):
        secrets.append(clients("rotate-secret", "api").stdout.strip())
        client = stored("api")
        assert client is not None
        assert client.secret_sha256 == (digest(secrets[-1]), digest(secrets[-2]))
    assert len(set(secrets)) == 4


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("add", "tv-app", "--name", "TV"), "already; `clients set` changes it"),
        (("add", "two words", "--name", "TV"), "client_id"),
        (("set", "nobody", "--name", "Nobody"), "there is no client nobody"),
        (("set", "tv-app"), "nothing to change: name an option"),
        (
            ("set", "tv-app", "--tls-subject", "CN=x"),
            "expected it with --auth-method tls_client_auth",
        ),
        (("remove", "nobody"), "there is no client nobody"),
        (("remove", "tv-app"), "tv-app is in the file only"),
        (("show", "nobody"), "there is no client nobody"),
        (("disable", "nobody"), "there is no client nobody"),
        (("enable", "nobody"), "there is no client nobody"),
        (("cancel", "nobody"), "there is no client nobody"),
        (("rotate-secret", "nobody"), "there is no client nobody"),
        (("rotate-secret", "tv-app"), "not with a secret"),
    ],
)
def test_refused(clients: Clients, stored: Stored, arguments: tuple[str, ...], hint: str) -> None:
    """One line, status 1, and nothing is stored."""
    result = clients(*arguments)
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert line.startswith("deviceflow: ")
    assert hint in line
    assert [stored(client_id) for client_id in ("tv-app", "two words", "nobody")] == [None] * 3


def test_disable_and_enable(clients: Clients, stored: Stored, valkey: Valkey) -> None:
    """A client of the file too, which stands in the store from then on; workers are told."""
    for number, (command, enabled) in enumerate((("disable", False), ("enable", True)), 1):
        assert clients(command, "tv-app").stdout == f"{command}d tv-app\n"
        client = stored("tv-app")
        assert client is not None
        assert (client.name, client.enabled) == ("Living-room TV", enabled)
        with valkey.client() as inside:
            assert inside.get(keyspace.REVISION) == str(number).encode()


def test_cancel(clients: Clients, valkey: Valkey) -> None:
    """One mark, above the newest number that a grant has; workers are told."""
    with valkey.client() as inside:
        inside.set(keyspace.SLOTS, 41)
        result = clients("cancel", "tv-app")
        assert result.stdout == "cancelled all waiting grants of tv-app\n"
        assert inside.hgetall(keyspace.CLIENT_CANCELLATIONS) == {b"tv-app": b"%d" % (42 << 24)}
        assert inside.get(keyspace.REVISION) == b"1"


def test_set_leaves_what_it_does_not_name(clients: Clients, stored: Stored) -> None:
    """What is named is replaced as a whole."""
    kept = ("--audience", "a", "--lifetime", "60", "--dpop", "required", "--introspect")
    method = ("--auth-method", "client_secret_basic")
    clients("add", "radio", "--name", "Radio", "--resource", FILES, *method, *kept)
    before = stored("radio")
    result = clients("set", "radio", "--scope", "openid print", "--resource", PRINT)
    assert (result.exit_code, result.stderr.splitlines()[0]) == (0, "changed radio")
    assert before is not None
    changed = structs.replace(before, scopes=("openid", "print"), resources=(PRINT,))
    assert stored("radio") == changed
    clients("set", "radio", "--name", "Wireless", "--dpop", "optional", "--no-introspect")
    assert stored("radio") == structs.replace(
        changed, name="Wireless", dpop="optional", introspect=False
    )


def test_unset(clients: Clients, stored: Stored) -> None:
    """All whose absence means something; what is named at the same time wins."""
    clients(
        *("add", "radio", "--name", "Radio", "--scope", "openid", "--audience", "a"),
        *("--resource", PRINT, "--token-format", "jwt", "--refresh-token", "never"),
        *("--lifetime", "60", "--interval", "6", "--user-code-length", "9"),
    )
    result = clients("set", "radio", *(f"--unset={name}" for name in UNSET), "--lifetime", "61")
    assert result.exit_code == 0
    assert stored("radio") == Client(
        client_id="radio", name="Radio", scopes=("openid",), lifetime_s=61
    )


def test_user_codes_are_set_one_part_at_a_time(clients: Clients, stored: Stored) -> None:
    """What is weak is said, as `check` says it of the file."""
    clients("add", "radio", "--name", "Radio", "--user-code-alphabet", "numeric")
    clients("set", "radio", "--user-code-group", "3")
    client = stored("radio")
    assert client is not None
    assert client.user_code == UserCodeFormat(alphabet=NUMERIC, group=3)
    said = clients("set", "radio", "--user-code-length", "7").stderr
    assert "--user-code: 23.3 bits are easier to guess" in said


def test_set_a_client_of_the_file(clients: Clients, stored: Stored) -> None:
    """It is copied, and the answer says so."""
    result = clients("set", "tv-app", "--scope", "openid profile")
    assert "changed tv-app; it overrides the one in the file\n" in result.stderr
    assert stored("tv-app") == Client(
        client_id="tv-app", name="Living-room TV", scopes=("openid", "profile")
    )
    again = clients("set", "tv-app", "--name", "TV")
    assert "changed tv-app; it overrides the one in the file\n" in again.stderr
    client = stored("tv-app")
    assert client is not None
    assert (client.name, client.scopes) == ("TV", ("openid", "profile"))


def test_set_is_held_to_the_rules(clients: Clients, stored: Stored) -> None:
    """Those between what is named and what is there, too; and nothing is changed."""
    clients("add", "radio", "--name", "Radio", "--scope", "openid print", "--resource", PRINT)
    before = stored("radio")
    result = clients("set", "radio", "--resource", FILES)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f'deviceflow: --resource: without "{PRINT}", to which')
    assert stored("radio") == before
    warned = clients("set", "radio", "--scope", "tv:watch").stderr
    assert '--scope: "tv:watch" has no words for people' in warned


def test_another_auth_method(clients: Clients, stored: Stored, tmp_path: Path) -> None:
    """What proved the client before is not good again when its method comes back."""
    clients("add", "radio", "--name", "Radio")
    secret = clients("set", "radio", "--auth-method", "client_secret_post").stdout.strip()
    client = stored("radio")
    assert client is not None
    assert client.secret_sha256 == (digest(secret),)
    # The secret is one and the same for both ways of sending it.
    assert clients("set", "radio", "--auth-method", "client_secret_basic").stdout == ""
    basic = stored("radio")
    assert basic == structs.replace(client, auth_method="client_secret_basic")
    jwk = {name: value for name, value in new_key("ES256", 0).jwk.items() if name != "d"}
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [jwk]}))
    clients("set", "radio", "--auth-method", "private_key_jwt", "--jwks", str(file))
    keyed = stored("radio")
    assert keyed is not None
    assert (keyed.public_keys, keyed.secret_sha256) == ([jwk], ())
    clients("set", "radio", "--auth-method", "none")
    public = stored("radio")
    assert public is not None
    assert (public.auth_method, public.jwks) == ("none", None)


def test_remove(clients: Clients, stored: Stored, valkey: Valkey) -> None:
    """The one of the file is there again; workers are told."""
    clients("add", "radio", "--name", "Radio")
    clients("disable", "tv-app")
    with valkey.client() as inside:
        inside.hset("df:registrations", "radio", "x")
        assert clients("remove", "radio").stdout == "removed radio\n"
        assert inside.get(keyspace.REVISION) == b"3"
        assert not inside.exists("df:registrations")
    result = clients("remove", "tv-app")
    assert result.stdout == "removed tv-app; the one in the file is in force again\n"
    assert (stored("radio"), stored("tv-app")) == (None, None)
    assert [line.split()[:3] for line in clients("list").output.splitlines()] == [
        ["tv-app", "enabled", "file"]
    ]


def test_list(clients: Clients) -> None:
    clients("add", "radio", "--name", "Radio", "--scope", "")
    clients("disable", "radio")
    rows = [line.split() for line in clients("list").output.splitlines()]
    assert rows[0][:5] == ["radio", "disabled", "store", "none", "-"]
    assert rows[1][:5] == ["tv-app", "enabled", "file", "none", "openid"]


@pytest.mark.parametrize("command", [("list",), ("disable", "x"), ("show", "x")])
def test_the_store_is_out_of_reach(command: tuple[str, ...]) -> None:
    places = ["clients", "--redis-url", "unix:///nowhere/valkey.sock"]
    result = CliRunner().invoke(main, [*places, *command])
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert "redis.url" in line


@pytest.mark.parametrize(
    "command",
    [("show",), ("enable",), ("disable",), ("rotate-secret",), ("set", "--name", "TV")],
)
def test_a_record_that_cannot_be_read(
    clients: Clients, valkey: Valkey, command: tuple[str, ...]
) -> None:
    """It is not written over with what the file says; one line says what to do."""
    record = b'{"client_id":"tv-app","unheard_of":1}'
    with valkey.client() as client:
        client.hset("df:clients", "tv-app", record)
        result = clients(*command, "tv-app")
        assert (result.exit_code, result.stdout) == (1, "")
        (line,) = result.stderr.splitlines()
        assert "tv-app cannot be read" in line
        assert line.endswith("deviceflow clients remove tv-app")
        assert client.hget("df:clients", "tv-app") == record
    result = clients("list")
    assert result.exit_code == 0
    assert [line.split()[:3] for line in result.stdout.splitlines()] == [
        ["tv-app", "disabled", "store"]
    ]
    assert "client.unreadable" in result.stderr
    assert clients("remove", "tv-app").exit_code == 0
    assert "tv-app" in clients("list").stdout.splitlines()[0]
    assert "file" in clients("list").stdout


CHANGES = [("enable",), ("disable",), ("rotate-secret",), ("set", "--name", "Wireless")]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch, valkey: Valkey) -> Meanwhile:
    """Has somebody else write a record (None: remove it) while a command is at work."""

    def arrange(*records: bytes | None) -> None:
        left = list(records)

        def existing(settings: Settings, stored: Client | None, client_id: str) -> Client:
            with valkey.client() as inside:
                for record in left[:1]:
                    inside.hdel("df:clients", client_id)
                    if record is not None:
                        inside.hset("df:clients", client_id, record)
            del left[:1]
            return before(settings, stored, client_id)

        before = commands._existing
        monkeypatch.setattr(commands, "_existing", existing)

    return arrange


@pytest.mark.parametrize("command", CHANGES)
def test_what_others_change_meanwhile_stays(
    clients: Clients, stored: Stored, meanwhile: Meanwhile, command: tuple[str, ...]
) -> None:
    clients("add", "radio", "--name", "Radio", "--auth-method", "client_secret_post")
    before = stored("radio")
    assert before is not None
    other = structs.replace(before, scopes=("openid",), enabled=False)
    meanwhile(json_bytes(other))
    assert clients(*command, "radio").exit_code == 0
    after = stored("radio")
    assert after is not None
    assert after != other or command == ("disable",)
    assert after.scopes == ("openid",)
    assert after.enabled is (command == ("enable",))


@pytest.mark.parametrize("command", CHANGES)
def test_what_was_removed_meanwhile_stays_away(
    clients: Clients, stored: Stored, meanwhile: Meanwhile, command: tuple[str, ...]
) -> None:
    clients("add", "radio", "--name", "Radio", "--auth-method", "client_secret_post")
    meanwhile(None)
    result = clients(*command, "radio")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no client radio" in result.stderr
    assert stored("radio") is None


def test_others_are_always_faster(clients: Clients, stored: Stored, meanwhile: Meanwhile) -> None:
    """One line, and the client is as they left it."""
    clients("add", "radio", "--name", "Radio")
    before = stored("radio")
    assert before is not None
    others = [structs.replace(before, lifetime_s=1 + i) for i in range(1000)]
    meanwhile(*map(json_bytes, others))
    result = clients("disable", "radio")
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert "radio was changed by others again and again" in line
    assert stored("radio") in others


@pytest.mark.parametrize("name", ["\u202eVT", "T\u200bV", "\u2028", "\u3164"])
def test_a_name_that_lies(clients: Clients, stored: Stored, name: str) -> None:
    result = clients("add", "radio", "--name", name)
    assert (result.exit_code, "name: got" in result.stderr) == (1, True)
    assert stored("radio") is None


def test_the_operator_vouches_for_a_name(clients: Clients, stored: Stored) -> None:
    clients("add", "radio", "--name", "Bu\u0308ro", "--no-verified", "--scope", "openid")
    assert stored("radio") == Client(
        client_id="radio", name="B\u00fcro", verified=False, scopes=("openid",)
    )
    clients("set", "radio", "--verified")
    changed = stored("radio")
    assert changed is not None
    assert changed.verified
