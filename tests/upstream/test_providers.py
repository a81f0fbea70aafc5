"""The providers of a worker."""

from deviceflow.config import Upstream
from deviceflow.upstream.providers import Providers
from tests.stage.clock import Clock


def upstream(upstream_id: str) -> Upstream:
    return Upstream(
        id=upstream_id, issuer="https://sso.example.com", client_id="x", client_secret="s"
    )


async def test_by_their_ids_and_in_their_order(clock: Clock) -> None:
    upstreams = [upstream("zeta"), upstream("alpha")]
    providers = Providers(upstreams, clock=clock, steady=clock)
    assert [provider.upstream.id for provider in providers] == ["zeta", "alpha"]
    found = providers.find("alpha")
    assert found is not None
    assert found.upstream is upstreams[1]
    assert providers.find("beta") is None
    await providers.close()
