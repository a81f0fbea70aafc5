"""Answers that wait for the browser to come for them."""

from deviceflow.store.upstream_answers import ANSWER_KEPT_S, UpstreamAnswers
from tests.stage.store import Store


async def test_an_answer_is_taken_once(each_store: Store) -> None:
    answers = UpstreamAnswers(each_store.connection, each_store.installation)
    await answers.keep("state", {"code": "x", "iss": ""})
    assert await answers.take("another") == {}
    assert await answers.take("state") == {"code": "x", "iss": ""}
    assert await answers.take("state") == {}


async def test_it_ends_by_itself_and_its_key_tells_nothing(each_store: Store) -> None:
    answers = UpstreamAnswers(each_store.connection, each_store.installation)
    await answers.keep("state", {"code": "x"})
    (key,) = await each_store.connection.command("KEYS", "df:x:*")
    assert b"state" not in key
    assert 0 < await each_store.connection.command("PTTL", key) <= ANSWER_KEPT_S * 1000
