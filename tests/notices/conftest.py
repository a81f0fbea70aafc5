"""A notice, as a redemption makes it."""

import pytest

from deviceflow.notices.notice import Notice


@pytest.fixture
def notice() -> Notice:
    return Notice(
        sub="sub-ada",
        username="ada",
        email="ada@example.com",
        grant_id="g" * 32,
        client_id="tv-app",
        client_name="Living-room TV",
        scope="openid profile",
        device="NebulaTV 4.2",
        address="203.0.113.7",
        connected_at=1_793_887_400,
        language="de",
    )
