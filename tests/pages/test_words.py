"""Facts in words."""

import pytest

from deviceflow.config.settings import DEFAULT_SCOPES
from deviceflow.pages import words


def test_scopes_have_configured_words_built_in_words_or_their_name() -> None:
    meanings = DEFAULT_SCOPES | {"profile": "See your face"}
    said = words.scopes_in_words("openid tv:play profile", meanings)
    assert said == ["Know who you are", "tv:play", "See your face"]
    assert words.scopes_in_words("", {}) == []


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (179, "2 minutes"),
        (3600, "1 hour"),
        (15_552_000, "180 days"),
    ],
)
def test_a_time_in_its_largest_unit(seconds: int, said: str) -> None:
    assert words.lasting(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(-5, "just now"), (9, "just now"), (90, "1 minute ago")]
)
def test_how_long_ago(seconds: int, said: str) -> None:
    assert words.ago(1000, 1000 + seconds) == said


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ("", ""),
        ("curl/8.5.0", "curl 8.5.0"),
        ("NebulaTV/4.2 (Linux; armv7) okhttp/4", "NebulaTV 4.2"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64) Chrome/150.0 Safari/537.36", "Chrome on Windows"),
        ("Mozilla/5.0 (iPhone; CPU like Mac OS X) Version/20 Safari/605", "Safari on iPhone"),
        ("Mozilla/5.0 (SMART-TV; Linux; Tizen 8.0) Chrome/120 Safari/5", "Chrome on Tizen"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Haiku)", "A browser"),
        ("x" * 500, "x" * 60),
        ("a\x00b\u202ec\nd", "a"),
        ("\udcff\udcfe", "??"),
    ],
)
def test_what_a_device_calls_itself_in_short(agent: str, said: str) -> None:
    assert words.device_in_words(agent) == said
