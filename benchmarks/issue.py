"""`issue`: the device authorizations that a server answers per second.

deviceflow is measured without and with a log line for each grant, which is the default. It is
compared with a plain aiohttp handler with as many round trips to the store: one for the two keys,
and one for a counter every sixteenth time.
"""

from contextlib import ExitStack

from benchmarks import plots
from benchmarks.load import CONNECTIONS, Load, Shot
from benchmarks.polls import authorization_request
from benchmarks.results import Result, make_section
from benchmarks.rounds import Entry, take_turns
from benchmarks.run import Run
from benchmarks.servers import PLAIN, Competitor, Place, deviceflow, plain
from benchmarks.stores import store

OURS, LOGGING = "deviceflow", "deviceflow, logging"


def run(run: Run) -> Result:
    """Measure every server with one worker."""
    load = Load(run.folder, run.cores.generator)
    place = Place(run.folder, run.cores.server)
    with ExitStack() as stack:
        url = stack.enter_context(store(run.folder, run.cores.generator)).url
        servers = (
            stack.enter_context(deviceflow(place, url, name=OURS)),
            stack.enter_context(deviceflow(place, url, name=LOGGING, log_level="info")),
            stack.enter_context(plain(place, url)),
        )
        entries = [_entry(server) for server in servers]
        series = take_turns("device authorizations", entries, run.turns, load, run.screen)
    section = make_section(
        "issue_1",
        "Device authorizations: connections kept, 1 worker",
        "grants/s",
        series,
        [(OURS, LOGGING), (OURS, PLAIN)],
    )
    figures = {f"{OURS} / {ratio.other}": ratio.spread.median for ratio in section.ratios}
    result = run.finish("issue", [section], figures, {"connections": CONNECTIONS})
    plots.columns(run.results / "issue.svg", section)
    return result


def _entry(server: Competitor) -> Entry:
    request = authorization_request(server.port)
    return Entry(server.name, server, lambda _: Shot(request))
