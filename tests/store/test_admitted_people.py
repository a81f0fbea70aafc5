"""People whom another system has signed in, of whom some become users at the same time."""

import asyncio

import msgspec
import pytest

from deviceflow.core.claims import Subject
from deviceflow.store import keyspace
from deviceflow.store.account_marks import EVERYTHING
from deviceflow.store.admitted_people import AdmittedPeople
from deviceflow.store.errors import SubjectTaken
from deviceflow.store.users import Users
from tests.stage.store import Store

GRACE = Subject(sub="sub-grace", username="grace", auth_time=1)


@pytest.fixture
def people(each_store: Store, users: Users) -> AdmittedPeople:
    return AdmittedPeople(each_store.connection, users)


async def test_an_admitted_person_has_the_mark_of_the_account(
    people: AdmittedPeople, users: Users
) -> None:
    assert await people.admit(GRACE) == msgspec.structs.replace(GRACE, mark=0)
    account = await users.find("grace")
    assert account is not None
    assert (account.sub, account.password_hash) == ("sub-grace", "")
    marked = await users.end_until_now(account, *EVERYTHING)
    admitted = await people.admit(GRACE)
    assert admitted is not None
    assert (admitted.mark, marked.allows(admitted)) == (marked.marks.devices, True)
    await users.put(msgspec.structs.replace(account, disabled=True))
    assert await people.admit(GRACE) is None


async def test_two_first_approvals_of_one_person_at_a_time(
    people: AdmittedPeople, users: Users
) -> None:
    """Both are of one account, whichever of them has made it."""
    other = msgspec.structs.replace(GRACE, email="grace@example.com")
    admitted = await asyncio.gather(*(people.admit(each) for each in (GRACE, other) * 4))
    assert all(admitted)
    account = await users.find_subject("sub-grace")
    assert account is not None
    assert all(account.allows(each) for each in admitted if each)


async def test_one_name_for_two_people_at_a_time(
    people: AdmittedPeople, users: Users, each_store: Store
) -> None:
    """One has it, with an approval that counts; the other is refused, and is nobody here."""
    subjects = [msgspec.structs.replace(GRACE, sub=f"sub-{number}") for number in range(4)]
    admitted = await asyncio.gather(*map(people.admit, subjects), return_exceptions=True)
    (winner,) = [each for each in admitted if isinstance(each, Subject)]
    assert [type(each) for each in admitted].count(SubjectTaken) == 3
    assert await users.may_sign_in(winner)
    assert await each_store.connection.command("HKEYS", keyspace.SUBJECTS) == [winner.sub.encode()]


async def test_a_subject_has_one_name(people: AdmittedPeople) -> None:
    await people.admit(GRACE)
    for taken in (GRACE, Subject(sub="sub-eve", username="x", auth_time=1)):
        with pytest.raises(SubjectTaken):
            await people.admit(msgspec.structs.replace(taken, username="another"))
