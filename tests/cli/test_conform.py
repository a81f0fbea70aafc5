"""`deviceflow conform`: its options, and how it ends without a server."""

from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import CliRunner, Result

from deviceflow.__main__ import main
from deviceflow.cli.recipes import RECIPES
from deviceflow.conformance.browser import read_recipe
from deviceflow.conformance.checks import CATALOGUE
from deviceflow.conformance.discovery import find_endpoints
from deviceflow.device.errors import UnavailableError


def conform(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(main, ["conform", *arguments], env={"COLUMNS": "200", **variables})


def test_the_checks_of_a_profile_are_listed() -> None:
    every, flow = conform("--list", "--profile", "strict"), conform("--list")
    assert (every.exit_code, flow.exit_code) == (0, 0)
    assert [each for each in CATALOGUE if each not in every.stdout] == []
    assert "8628-3.5-a" in flow.stdout
    assert "7009-2-a" not in flow.stdout


def test_some_checks_are_chosen() -> None:
    chosen = conform("--list", "--profile", "strict", "--only", "pace", "--skip", "8628-3.5-*")
    assert [line.split()[0] for line in chosen.stdout.splitlines()[1:]] == ["8628-3.2-b"]


def test_a_check_of_another_profile_can_be_named() -> None:
    assert "7009-2-a" in conform("--list", "--only", "7009-2-a").stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--only", "8628-9.9-z"), "No check is called 8628-9.9-z"),
        ((), "Give --issuer and --client-id"),
        (("--approve", "browser"), "needs --recipe"),
        (("--approve", "browser", "--recipe", "/nowhere.toml"), "/nowhere.toml"),
        (("--approve", "open {nothing}"), "unknown braces"),
        (("--guess-at", "https://other.example"), "--guess-at is not http://127.0.0.1:1"),
        (("--client-secret-env", "NOT_SET"), "The variable NOT_SET is not set"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], complaint: str) -> None:
    server = () if not arguments else ("--issuer", "http://127.0.0.1:1", "--client-id", "tv")
    done = conform(*server, *arguments)
    assert done.exit_code == 2
    assert complaint in done.stderr


def test_no_server() -> None:
    done = conform("--issuer", "http://127.0.0.1:1", "--client-id", "tv")
    assert done.exit_code == 3
    assert "127.0.0.1:1" in done.stderr


async def test_a_busy_server_is_not_taken_for_one_without_metadata() -> None:
    async def busy(_: web.Request) -> web.Response:
        return web.Response(status=503, headers={"Retry-After": "7"})

    app = web.Application()
    app.router.add_get("/{path:.*}", busy)
    async with TestServer(app) as server:
        with pytest.raises(UnavailableError, match=r"HTTP 503.*in 7 s"):
            await find_endpoints(str(server.make_url("")).rstrip("/"))


def test_an_address_that_is_not_encrypted() -> None:
    done = conform("--issuer", "http://tv.example", "--client-id", "tv")
    assert done.exit_code == 3
    assert "https" in done.stderr


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_can_be_read(path: Path) -> None:
    recipe = read_recipe(path, {"username": "ada"})
    assert recipe.values["username"] == "ada"
    assert {page.choice for page in recipe.page} >= {"approve", "deny"}
    assert path.stem in conform("--list-recipes").stdout.split()
