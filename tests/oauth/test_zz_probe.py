import uvloop, pytest, asyncio
from tests.oauth.served import serve, Mint, poll, METADATA
@pytest.fixture
def _asyncio_loop_factory(): return uvloop.new_event_loop
async def test_x(stage):
    mint=Mint(stage)
    async with serve(stage) as s, await s.connect() as p:
        print(type(asyncio.get_running_loop()))
        print(await p.ask(poll(mint.code())))
        assert s.made==0
        print(await p.ask(METADATA))
        print(await p.ask(poll(mint.code())))
        c=mint.code()
        r=poll(c)
        print(await p.ask(r[:300],r[300:]))
        assert s.made==1
