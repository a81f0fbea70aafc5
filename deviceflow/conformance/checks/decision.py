"""What a person decides, and what the device hears of it: RFC 8628 3.3 and 3.5."""

from deviceflow.conformance.check import Level, check, require
from deviceflow.conformance.decisions import Undecided
from deviceflow.conformance.site import Site


@check("8628-3.5-d", Level.MUST, "RFC 8628 3.5", "An approved grant gives tokens")
async def approved(site: Site) -> str:
    answer = await site.poll_decided(await site.approved())
    require(answer.has_tokens, f"the answer is {answer.summary}")
    kind = answer.members.get("token_type")
    require(isinstance(kind, str) and bool(kind), "token_type is missing")
    lifetime = answer.members.get("expires_in")
    return f"a {kind} token" + (f" for {lifetime} s" if lifetime else "")


@check("8628-3.5-e", Level.MUST, "RFC 8628 3.5", "A denied grant is access_denied, and stays it")
async def denied(site: Site) -> str:
    grant = await site.start()
    await site.decide(grant, "deny")
    answer = await site.poll_decided(grant)
    require(answer.error == "access_denied", f"the answer is {answer.summary}")
    later = await site.poll(grant)
    require(not later.has_tokens, "a later poll gets tokens")
    is_final = later.error in ("access_denied", "expired_token", "invalid_grant")
    require(is_final, f"a later poll is answered {later.summary}")
    return f"access_denied, and then {later.error}"


@check("8628-3.5-k", Level.SHOULD, "RFC 8628 3.5", "Approved tokens are there at any pace")
async def picked_up_at_any_pace(site: Site) -> str:
    grant = await site.start()
    for _ in range(3):
        await site.poll(grant, at_once=True)
    await site.decide(grant, "approve")
    answer = await site.poll(grant, at_once=True)
    if answer.error == "slow_down":
        later = await site.poll(grant)
        require(later.has_tokens, f"slow_down, and in time then {later.summary}")
        require(False, "slow_down delays the tokens of an approved grant")  # noqa: FBT003
    require(answer.has_tokens, f"the answer is {answer.summary}")
    return "a poll that is too fast gets the tokens"


@check("8628-3.3-c", Level.PRUDENT, "RFC 8628 3.3", "Approve and deny at once end in one of them")
async def race(site: Site) -> str:
    grant = await site.start()
    refused = await site.decide_twice(grant, "approve", "deny")
    if all(refused):
        raise Undecided("neither decision was taken")
    first = await site.poll_decided(grant)
    later = await site.poll(grant)
    is_ended = first.has_tokens or first.error == "access_denied"
    require(is_ended, f"the device hears {first.summary}")
    if not first.has_tokens:
        require(not later.has_tokens, "a denied grant gives tokens later")
    return f"the device hears {first.summary}, and then {later.summary}"


@check("8628-3.3-d", Level.MUST, "RFC 8628 3.3", "An address of a grant changes nothing by itself")
async def get_decides_nothing(site: Site) -> str:
    grant = await site.start()
    for address in filter(None, (grant.verification_uri_complete, grant.verification_uri)):
        await site.send("GET", address, headers={"Accept": "text/html"})
    answer = await site.poll(grant)
    require(answer.error == "authorization_pending", f"after a GET the poll is {answer.summary}")
    return "after a GET of the addresses the grant is pending"


@check("8628-6.1-a", Level.SHOULD, "RFC 8628 6.1", "A user code is read as people type it")
async def folded(site: Site) -> str:
    grant = await site.start()
    typed = grant.user_code.replace("-", " ").lower()
    try:
        await site.decide(grant, "approve", typed=typed)
    except Undecided:
        await site.decide(grant, "approve", typed=grant.user_code)
        require(False, "small letters without dashes are refused, and the code as shown is not")  # noqa: FBT003
    answer = await site.poll_decided(grant)
    require(answer.has_tokens, f"typed in small letters without dashes, it is {answer.summary}")
    return "small letters and spaces do no harm"
