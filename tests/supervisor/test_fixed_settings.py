"""The settings that cannot change while the server runs."""

import msgspec

from deviceflow.config import Redis, Server, Settings
from deviceflow.supervisor.fixed_settings import FIXED_SETTINGS, fingerprints, fixed_changes


def test_each_is_named() -> None:
    before = fingerprints(Settings())
    server = Server(
        host="127.0.0.2", port=1, workers=2, admin_host="127.0.0.3", admin_port=2, data_dir="there"
    )
    device = msgspec.structs.replace(Settings().device, pace_slots=2048)
    after = Settings(server=server, redis=Redis(url="redis://127.0.0.1/0"), device=device)
    lines = fixed_changes(before, after)
    assert [line.partition(" ")[0] for line in lines] == list(FIXED_SETTINGS)


def test_the_others_may_change() -> None:
    settings = Settings(server=Server(keepalive_s=1, lane=False), issuer="https://a.example")
    assert fixed_changes(fingerprints(Settings()), settings) == []


def test_a_password_is_not_written_down() -> None:
    settings = Settings(redis=Redis(url="redis://me:hunter22@127.0.0.1/0"))
    assert "hunter22" not in repr(fingerprints(settings))
