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


def test_loopback_has_as_many_addresses_as_it_takes() -> None:
    """Each has less than half of its ports in use: from there on, a connection is expensive."""
    fast = ports_of_address(FAST)
    assert fast < PORTS / 2 + 1
    few, many = Needs(files=0, ports=fast), Needs(files=0, ports=2 * fast + 1)
    assert sources_for(few, is_loopback=True, given=()) == ()
    assert sources_for(many, is_loopback=True, given=()) == ("127.0.0.2", "127.0.0.3", "127.0.0.4")


def test_elsewhere_the_addresses_have_to_be_given() -> None:
    needs = Needs(files=0, ports=PORTS + 1)
    with pytest.raises(LimitError, match=r"--source ADDRESS for each of 2"):
        sources_for(needs, is_loopback=False, given=())
    with pytest.raises(LimitError, match="1 of this machine's"):
        sources_for(needs, is_loopback=False, given=("192.0.2.1",))
    given = ("192.0.2.1", "192.0.2.2")
    assert sources_for(needs, is_loopback=False, given=given) == given
