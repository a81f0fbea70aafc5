"""What browsers may show a page of another origin."""

import pytest

from deviceflow.core.cross_origin import ALLOWED, EXPOSED, CrossOrigin

TV = "https://tv.example.com"
OTHER = "https://other.example"
OPEN, NARROW, CLOSED = CrossOrigin(("*",)), CrossOrigin((TV, "null")), CrossOrigin(())


@pytest.mark.parametrize("origin", [None, TV, "null", ""])
def test_an_open_server_says_so_to_all_alike(origin: str | None) -> None:
    """So a cache may keep an answer, and the lane need not read the header."""
    assert OPEN.headers(origin) == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": EXPOSED,
    }
    assert not OPEN.depends_on_origin


def test_a_list_allows_only_what_is_on_it() -> None:
    assert NARROW.depends_on_origin
    for origin in (TV, "null"):
        assert NARROW.headers(origin)["Access-Control-Allow-Origin"] == origin
        assert NARROW.headers(origin)["Vary"] == "Origin"
    for refused in (OTHER, None, "", TV.upper(), TV + "/", TV + ".evil.example"):
        assert NARROW.headers(refused) == {"Vary": "Origin"}
        assert NARROW.preflight(refused or "", {"POST"}) is None


def test_a_closed_server_says_nothing() -> None:
    assert CLOSED.headers(TV) == {}
    assert CLOSED.preflight(TV, {"POST"}) is None
    assert not CLOSED.depends_on_origin


def test_a_star_in_a_list_opens_it() -> None:
    assert CrossOrigin((TV, "*")).headers(OTHER) == OPEN.headers()


def test_a_preflight_names_what_the_path_takes() -> None:
    assert OPEN.preflight(TV, {"POST", "GET"}) == {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": ALLOWED,
        "Access-Control-Max-Age": "7200",
    }


@pytest.mark.parametrize("rule", [OPEN, NARROW, CLOSED])
def test_nothing_allows_credentials(rule: CrossOrigin) -> None:
    headers = rule.headers(TV) | (rule.preflight(TV, {"POST"}) or {})
    assert "Access-Control-Allow-Credentials" not in headers
