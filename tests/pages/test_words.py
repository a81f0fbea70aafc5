"""Facts in words."""

import pytest

from deviceflow.config.settings import DEFAULT_SCOPES
from deviceflow.config.values import Words
from deviceflow.pages import words
from deviceflow.pages.texts import read_language, speaking


def test_scopes_have_configured_words_built_in_words_or_their_name() -> None:
    meanings = DEFAULT_SCOPES | {"profile": "See your face"}
    said = words.scopes_in_words("openid tv:play profile", meanings)
    assert said == ["Know who you are", "tv:play", "See your face"]
    assert words.scopes_in_words("", {}) == []


def test_scopes_are_described_in_the_language_of_the_request() -> None:
    """Those that the file does not describe in words of its own, or in several languages."""
    meanings: dict[str, Words] = {**DEFAULT_SCOPES, "profile": "See your face"}
    meanings["tv:play"] = {"de": "Spielen", "en": "Play"}
    for tag, said in (
        ("de", ["Wissen, wer Sie sind", "See your face", "Spielen"]),
        ("en", ["Know who you are", "See your face", "Play"]),
        ("fr", ["Savoir qui vous êtes", "See your face", "Spielen"]),
    ):
        with speaking(read_language(tag)):
            assert words.scopes_in_words("openid profile tv:play", meanings) == said


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
    ("seconds", "said"),
    [
        (-5, "just now"),
        (9, "just now"),
        (10, "10 seconds ago"),
        (90, "1 minute ago"),
        (7200, "2 hours ago"),
        (86400, "1 day ago"),
    ],
)
def test_how_long_ago(seconds: int, said: str) -> None:
    assert words.ago(1000, 1000 + seconds) == said


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ("", ""),
        ("curl 8.5.0", "curl 8.5.0"),
        ("Chrome; Windows", "Chrome on Windows"),
        ("; PlayStation 5", "PlayStation 5"),
    ],
)
def test_what_a_device_calls_itself(stored: str, said: str) -> None:
    assert words.device_in_words(stored) == said
