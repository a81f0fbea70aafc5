"""Open files and ports: what is said before a run, and what is chosen."""

import pytest

from deviceflow.fleet.limits import (
    FAST,
    SPARE_FILES,
    LimitError,
    Needs,
    check_files,
    ports_needed,
    ports_of_address,
    processes_for,
    sources_for,
)

PORTS = ports_of_address()


def test_processes_are_as_many_as_the_files_allow() -> None:
    assert processes_for(Needs(files=100, ports=0), limit=1024) == 1
    needs = Needs(files=20_000, ports=0)
    enough = processes_for(needs, limit=20_000)
    assert enough == 2
    check_files(needs, enough, limit=20_000)


def test_too_few_files_are_said_with_the_remedy() -> None:
    with pytest.raises(LimitError, match=r"20,200 open files .* 1,024 .*ulimit -Hn 20200.*25 proc"):
        check_files(Needs(files=20_000, ports=0), 1, limit=1024)
    check_files(Needs(files=1024 - SPARE_FILES, ports=0), 1, limit=1024)


def test_closed_connections_keep_their_ports_for_a_while() -> None:
    assert ports_needed(100, 10.0) == 700


def test_a_limit_that_no_number_of_processes_suits_has_one_remedy() -> None:
    with pytest.raises(LimitError) as caught:
        check_files(Needs(files=20_000, ports=0), 256, limit=210)
    assert str(caught.value).endswith("Run `ulimit -Hn 279` as root before.")


def test_loopback_has_as_many_addresses_as_it_takes() -> None:
    """Each has less than half of its ports in use: from there on, a connection is expensive."""
    fast = ports_of_address(FAST)
    assert fast < PORTS / 2 + 1
    few, many = Needs(files=0, ports=fast), Needs(files=0, ports=2 * fast + 1)
    assert sources_for(few, server="127.0.0.1", given=()) == ()
    assert sources_for(many, server="127.0.0.1", given=()) == (
        *("127.0.0.2", "127.0.0.3", "127.0.0.4"),
    )


def test_the_loopback_of_ipv6_is_one_address() -> None:
    fast = ports_of_address(FAST)
    assert sources_for(Needs(files=0, ports=2 * fast), server="::1", given=()) == ()
    with pytest.raises(LimitError, match="one address of this machine has"):
        sources_for(Needs(files=0, ports=PORTS + 1), server="::1", given=())


def test_elsewhere_the_addresses_have_to_be_given() -> None:
    needs = Needs(files=0, ports=PORTS + 1)
    with pytest.raises(LimitError, match=r"--source ADDRESS for each of 2"):
        sources_for(needs, server="192.0.2.9", given=())
    with pytest.raises(LimitError, match="one address of this machine has"):
        sources_for(needs, server="192.0.2.9", given=("127.0.0.2",))
    given = ("127.0.0.2", "127.0.0.3")
    assert sources_for(needs, server="192.0.2.9", given=given) == given


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("192.0.2.1", "192.0.2.1 is no address of this machine"),
        ("::1", "From ::1, no connection leads to 127.0.0.1"),
    ],
)
def test_an_address_to_connect_from_must_be_usable(source: str, reason: str) -> None:
    with pytest.raises(LimitError, match=reason):
        sources_for(Needs(files=0, ports=1), server="127.0.0.1", given=(source,))
