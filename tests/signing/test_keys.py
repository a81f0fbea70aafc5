"""The keys of this server."""

import pytest

from deviceflow.signing.keys import new_key

NOW = 1_700_000_000


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519", "RS256"])
def test_it_is_known_which_algorithm_a_key_is_for(algorithm: str) -> None:
    key = new_key(algorithm, NOW)
    assert (key.algorithm, key.created_at) == (algorithm, NOW)


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519"])
def test_each_new_key_is_another(algorithm: str) -> None:
    first, second = new_key(algorithm, NOW), new_key(algorithm, NOW)
    assert first.key_id != second.key_id
    assert first.jwk != second.jwk
