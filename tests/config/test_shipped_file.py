"""The settings file in the repository."""

import re
import tomllib
from pathlib import Path

import msgspec

from deviceflow.config import (
    Settings,
    Upstream,
    User,
    load,
    setting_paths,
)
from deviceflow.config.upstreams import ClaimNames
from deviceflow.core.client import Client
from deviceflow.core.resources import ProtectedResource
from deviceflow.core.user_code import UserCodeFormat
from tests.config.documents import problems, read
from tests.stage.checkout import SHIPPED_SETTINGS


def uncommented() -> str:
    """Return the shipped file with every commented-out setting and table switched on."""
    lines = SHIPPED_SETTINGS.read_text(encoding="utf-8").splitlines()
    setting = re.compile(r"# ((\[\[[a-z]+\]\])|([a-z0-9_]+ = .*))")
    return "\n".join(found[1] if (found := setting.fullmatch(line)) else line for line in lines)


def filled_in() -> str:
    """Return the same file, with a key and with the proxy that a setting needs."""
    coordinate = "A" * 43
    key, proxies = 'x = "REPLACE", y = "REPLACE"', "trusted_proxies = []"
    text = uncommented()
    assert key in text
    assert proxies in text
    text = text.replace(key, f'x = "{coordinate}", y = "{coordinate}"')
    return text.replace(proxies, 'trusted_proxies = ["10.0.0.0/8"]')


def test_the_shipped_file_is_the_defaults_and_one_public_client() -> None:
    shipped = load(SHIPPED_SETTINGS, environ={})
    data_dir = str(SHIPPED_SETTINGS.absolute().parent / "deviceflow-data")
    server = msgspec.structs.replace(Settings().server, data_dir=data_dir)
    assert msgspec.structs.replace(shipped, clients=()) == Settings(server=server)
    (client,) = shipped.clients
    assert client.client_id == "tv-app"
    assert client.auth_method == "none"


def test_the_shipped_file_has_every_setting() -> None:
    live = tomllib.loads(SHIPPED_SETTINGS.read_text(encoding="utf-8"))
    examples = tomllib.loads(uncommented())
    defaults = msgspec.to_builtins(Settings())
    for path in setting_paths():
        in_live, in_examples, default = live, examples, defaults
        *tables, name = path.split(".")
        for table in tables:
            in_live, in_examples = in_live[table], in_examples[table]
            default = default[table]
        assert name in in_examples, path
        # A setting with a default is there with it. One without a default is an example.
        assert (name in in_live) is (default[name] is not None), path
    assert live["scopes"] == defaults["scopes"]
    assert set(examples) == set(Settings.__struct_fields__)


def test_the_shipped_examples_have_every_setting_and_are_right(tmp_path: Path) -> None:
    examples = tomllib.loads(uncommented())
    assert set(examples["clients"][1]) == set(Client.__struct_fields__)
    assert set(examples["resources"][0]) == set(ProtectedResource.__struct_fields__)
    assert set(examples["users"][0]) == set(User.__struct_fields__)
    # One of four ways to give a credential is enough, and more than one is refused.
    others = {"client_secret", "client_secret_env", "key_file", "key_id", "assertion_audience"}
    assert set(examples["upstream"][0]) == set(Upstream.__struct_fields__) - others
    assert set(examples["upstream"][0]["claims"]) == set(ClaimNames.__struct_fields__)
    assert set(examples["clients"][1]["user_code"]) == set(UserCodeFormat.__struct_fields__)
    loaded = read(filled_in(), tmp_path)
    assert len(loaded.clients) == 2
    assert len(loaded.resources) == 1
    assert len(loaded.users) == 1
    assert len(loaded.upstream) == 1


def test_an_example_that_nobody_has_filled_in(tmp_path: Path) -> None:
    """The placeholder REPLACE is not accepted as a key."""
    (problem,) = problems(filled_in().replace("A" * 43, "REPLACE"), tmp_path)
    assert problem.startswith("clients[1].jwks.keys[0]: a key without a good x; expected 32 bytes")


def test_the_shipped_file_lets_nobody_in() -> None:
    assert load(SHIPPED_SETTINGS, environ={}).users == ()
