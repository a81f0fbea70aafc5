"""The memory of workers: what the supervisor had before them is not copied into each."""

from pathlib import Path

from tests.stage.process import MakeProgram
from tests.stage.program import children, name_of
from tests.stage.waiting import until_outside
from tests.stage.wire import fetch, request_of


def own_and_shared_kb(pid: int) -> tuple[int, int]:
    """The memory of a process that belongs to no file: its own, and that of others, too."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    sizes = {name: rest.split()[0] for name, _, rest in (line.partition(":") for line in lines[1:])}
    return int(sizes["Private_Dirty"]), int(sizes["Shared_Dirty"])


def test_a_worker_shares_most_of_its_memory(make_program: MakeProgram) -> None:
    # An interpreter of its own: those that tests fork elsewhere share memory in any case.
    program = make_program("--workers", "1", variables={"PYTHONDONTWRITEBYTECODE": "1"})
    until_outside(lambda: fetch(request_of(program.admin_url + "/readyz")).status == 200)
    (worker,) = (pid for pid in children(program.pid) if name_of(pid) == name_of(program.pid))
    own, shared = own_and_shared_kb(worker)
    assert 0 < own < shared
