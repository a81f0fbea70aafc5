"""What checking a password costs for a name that nobody has."""

from msgspec.structs import replace

from deviceflow.store.accounts import Account
from deviceflow.store.password_costs import (
    BELIEVED_S,
    HashCost,
    PasswordCosts,
    choose,
    cost_of_hash,
)
from deviceflow.store.users import Users
from tests.stage.clock import Clock
from tests.stage.store import Store
from tests.stage.users import CHEAP

OLD, USUAL, NEW = (HashCost(8, time_cost, 1, 16, 32) for time_cost in (3, 2, 1))
ADA = Account(username="ada", sub="sub-ada", password_hash="")


def test_each_cost_is_chosen_as_often_as_accounts_have_it() -> None:
    known = [(OLD, 1), (USUAL, 3)]
    chosen = [choose(known, number / 100, NEW) for number in range(100)]
    assert (chosen.count(OLD), chosen.count(USUAL)) == (25, 75)
    assert choose(known, 1 - 2**-53, NEW) == USUAL
    assert choose([], 0.5, NEW) == NEW


def test_a_decoy_costs_what_it_says_and_is_nobodys_hash() -> None:
    decoys = {USUAL.hash() for _ in range(3)}
    assert len(decoys) == 3
    assert {cost_of_hash(decoy) for decoy in decoys} == {USUAL}
    for text in ("", "!", "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"):
        assert cost_of_hash(text) is None


async def test_all_workers_give_a_name_the_same_cost(each_store: Store) -> None:
    """As often as accounts have it: here a quarter of them, and people without a password."""
    users = Users(each_store.connection)
    for number in range(6):
        password_hash = "" if number > 3 else (OLD if number == 0 else USUAL).hash()
        await users.put(
            replace(ADA, username=f"u{number}", sub=f"s{number}", password_hash=password_hash)
        )
    users.close()
    workers = [
        PasswordCosts(each_store.connection, (), each_store.installation.name, each_store.clock)
        for _ in range(2)
    ]
    names = [f"name{number}" for number in range(400)]
    first, second = [
        [cost_of_hash(await worker.decoy(name, CHEAP)) for name in names] for worker in workers
    ]
    assert first == second
    # By the binomial distribution, one installation in 10^8 is outside of this.
    assert 50 < first.count(OLD) < 150
    assert first.count(OLD) + first.count(USUAL) == len(names)


async def test_what_accounts_have_is_looked_up_now_and_then(
    each_store: Store, clock: Clock
) -> None:
    users = Users(each_store.connection)
    costs = PasswordCosts(each_store.connection, (), each_store.installation.name, clock)
    assert cost_of_hash(await costs.decoy("nobody", CHEAP)) == NEW
    await users.put(replace(ADA, password_hash=OLD.hash()))
    users.close()
    assert cost_of_hash(await costs.decoy("nobody", CHEAP)) == NEW
    clock.advance(BELIEVED_S)
    assert cost_of_hash(await costs.decoy("nobody", CHEAP)) == OLD
