"""`issue`: how many device authorizations a server gives per second.

Beside deviceflow (also with a log line for each grant, as it is set up by default) a plain
aiohttp handler that makes as many round trips to the store: one for the two keys, and one for
a counter every sixteenth time.
"""

from contextlib import ExitStack

from benchmarks import plots
from benchmarks.load import CONNECTIONS, Load, Shot
from benchmarks.polls import authorization_request
from benchmarks.results import Result, section
from benchmarks.rounds import Entry, take_turns
from benchmarks.run import Run
from benchmarks.servers import PLAIN, Competitor, Place, deviceflow, plain
from benchmarks.stores import store

OURS, LOGGING = "deviceflow", "deviceflow, logging"


def run(run: Run) -> Result:
    """Measure with one worker each."""
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
    told = section(
        "issue_1",
        "Device authorizations: connections kept, 1 worker",
        "grants/s",
        series,
        [(OURS, LOGGING), (OURS, PLAIN)],
    )
    figures = {f"{OURS} / {ratio.other}": ratio.spread.median for ratio in told.ratios}
    result = run.finish("issue", [told], figures, {"connections": CONNECTIONS})
    plots.columns(run.results / "issue.svg", told)
    return result


def _entry(server: Competitor) -> Entry:
    request = authorization_request(server.port)
    return Entry(server.name, server, lambda _: Shot(request))
