"""Client assertions, those of clients and that of this server."""

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from deviceflow.core.dpop import ProofError
from deviceflow.signing.client_assertion import sign_with, verify_with
from deviceflow.signing.dpop import read_proof
from deviceflow.signing.errors import BadToken

CLAIMS = {"iss": "https://id.example.com", "sub": "user_1", "exp": 2_000_000_000}


@pytest.mark.filterwarnings("ignore:.*2048:joserfc.errors.SecurityWarning")
@pytest.mark.parametrize(("bits", "good"), [(1024, False), (2048, True)])
def test_what_others_sign_with(bits: int, good: bool) -> None:  # noqa: FBT001 - a column
    """RFC 7518 3.3, 9449-4.3-a, 7523-3-a: 2048 bits or more, in a proof and in an assertion."""
    key = RSAKey.generate_key(bits, auto_kid=False)
    public = key.as_dict(private=False)
    header = {"alg": "RS256", "typ": "dpop+jwt", "jwk": public}
    token = jwt.encode(header, CLAIMS, key, algorithms=["RS256"])
    if good:
        assert read_proof(token).claims == verify_with(token, [public]).claims == CLAIMS
        return
    with pytest.raises(ProofError):
        read_proof(token)
    with pytest.raises(BadToken):
        verify_with(token, [public])


def test_a_client_assertion() -> None:
    """What keys and errors there are, `upstream/test_credential.py` shows."""
    key = ECKey.generate_key("P-384", private=True)
    token = jwt.decode(sign_with(key.as_pem(private=True), CLAIMS, None), key, ["ES384"])
    assert token.claims == CLAIMS
    assert token.header == {"alg": "ES384", "typ": "JWT", "kid": key.thumbprint()}
