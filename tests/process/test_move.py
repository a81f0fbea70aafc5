"""An installation moves from the embedded store to Redis, by `deviceflow export` and `import`."""

from pathlib import Path

from tests.stage.process import Command, NewBrowser, NewDevice
from tests.stage.program import Program
from tests.stage.valkey import Valkey


def test_no_login_is_lost_by_moving(
    program: Program,
    device: NewDevice,
    browser: NewBrowser,
    command: Command,
    valkey: Valkey,
    folder: Path,
) -> None:
    """Who is signed in, who waits, and what has been approved: all of it goes on."""
    with valkey.client() as client:
        client.flushall()
    connected, approved, waiting = (device().authorize() for _ in range(3))
    person = browser()
    person.decide(connected.user_code, "approve")
    assert connected.wait() == "tokens"
    person.decide(approved.user_code, "approve")

    places = ("--config", str(program.config), "--data-dir", str(program.data_dir))
    secret, file = folder / "passphrase", folder / "copy"
    secret.write_text("a long passphrase\n", encoding="utf-8")
    sealed = ("--passphrase-file", str(secret), str(file))
    exported = command("export", *places, *sealed)
    assert (exported.returncode, exported.stderr) == (0, ""), exported
    refused = command("import", "--replace", *places, *sealed)
    assert (refused.returncode, "stop it first" in refused.stderr) == (1, True), refused
    program.stop()
    imported = command("import", "--redis-url", valkey.url, *sealed)
    assert imported.returncode == 0, imported

    program.move_to(valkey.url)
    assert approved.wait() == "tokens"
    assert connected.refresh().status == 200
    assert waiting.outcome() == "authorization_pending"
    assert person.decide(waiting.user_code, "approve").status == 200, "still signed in"
    assert waiting.wait() == "tokens"
    program.stop()
