"""This server passes the strict profile of the conformance suite, however it is run."""

import asyncio
import sys
from pathlib import Path

import msgspec

from deviceflow.conformance.check import Judgement, Result
from deviceflow.conformance.checks import CATALOGUE
from deviceflow.conformance.decisions import ToDecide, Undecided
from deviceflow.conformance.discovery import find_endpoints
from deviceflow.conformance.profiles import PROFILES
from deviceflow.conformance.run import run
from deviceflow.conformance.site import Parties, Politeness, Site
from deviceflow.device.client_auth import Credentials
from tests.process.conftest import CLIENT_SECRET
from tests.stage.process import Command, MakeProgram
from tests.stage.program import Program
from tests.stage.wire import PASSWORD, Browser

SCOPE = "openid profile offline_access"
OF_SECRETS = ("8628-3.1-e", "6749-2.3.1-b", "8628-3.4-f")
NOT_HERE = {*OF_SECRETS, "8628-3.1-a", "8414-2-c", "9449-4.3-e"}
"""What is not applicable: a client without a secret, on this machine, no assertions, and proofs
whose nonce tells how old they are."""

GUESSES = "8628-5.1-c"
"""It comes last: afterwards, the person may type no more codes."""

LONG = "8628-3.5-c"
"""It waits for the end of a code's life; here the client "brief" is for that."""


class AtThePages:
    """A person at the server's own pages."""

    can_guess = True

    def __init__(self, program: Program) -> None:
        self._browser = Browser(program)
        self._one_at_a_time = asyncio.Lock()

    async def decide(self, grant: ToDecide) -> None:
        async with self._one_at_a_time:
            await asyncio.to_thread(self._decide, grant)

    async def close(self) -> None:
        self._browser.cookies.clear()

    def _decide(self, grant: ToDecide) -> None:
        self._browser.open("/device")
        if "/login" in self._browser.answer.url:
            self._browser.submit("/login", username="ada", password=PASSWORD)
        self._browser.submit("/device", user_code=grant.user_code)
        if "/device/confirm" not in self._browser.answer.url:
            raise Undecided("the code does not lead to the question")
        shown = self._browser.submit("/device", user_code=grant.user_code, decision=grant.choice)
        if shown.status != 200:
            raise Undecided(f"the decision is answered {shown.status}")


async def results_of(
    program: Program, client: Credentials, ids: list[str], other: str = "slow"
) -> list[Result]:
    decisions = AtThePages(program)
    parties = Parties(
        client=client,
        other=Credentials(client_id=other),
        decisions=decisions,
        scope=SCOPE if client.client_id == "tv" else "profile",
        may_guess=True,
    )
    endpoints = await find_endpoints(program.url)
    async with Site(endpoints, parties, Politeness(200)) as site:
        return await run(site, [CATALOGUE[each] for each in ids])


def findings(results: list[Result], *expected: Judgement) -> list[str]:
    return [
        f"{each.check.id} {each.judgement}: {each.reason}"
        for each in results
        if each.judgement not in expected
    ]


async def test_the_strict_profile(make_program: MakeProgram) -> None:
    """With one worker and with four, with the lane and without.

    Side by side, since the checks mostly wait.
    """
    ways = {
        f"{workers} workers, lane {lane}": make_program(
            "--workers", workers, variables={"DEVICEFLOW_SERVER_LANE": lane}, below=workers + lane
        )
        for workers in ("1", "4")
        for lane in ("true", "false")
    }
    async with asyncio.TaskGroup() as runs:
        tasks = {way: runs.create_task(faults_of(program)) for way, program in ways.items()}
    assert {way: task.result() for way, task in tasks.items()} == {way: [] for way in ways}


async def faults_of(program: Program) -> list[str]:
    """Run the whole strict profile; return what is not as expected."""
    ids = [each for each in CATALOGUE if each not in {LONG, GUESSES, *OF_SECRETS}]
    tv = await results_of(program, Credentials(client_id="tv"), ids)
    console = await results_of(
        program, Credentials(client_id="console", client_secret=CLIENT_SECRET), [*OF_SECRETS]
    )
    brief = await results_of(program, Credentials(client_id="brief"), [LONG])
    guesses = await results_of(program, Credentials(client_id="tv"), [GUESSES])
    absent = [each for each in tv if each.check.id in NOT_HERE]
    judged = [each for each in tv if each.check.id not in NOT_HERE]
    faults = findings(absent, Judgement.NOT_APPLICABLE)
    faults += findings([*judged, *console, *brief, *guesses], Judgement.PASS)
    if not PROFILES["strict"].is_passed([*tv, *brief, *guesses]):
        faults.append("the profile is not passed")
    return faults


APPROVE = """
import sys
sys.path.insert(0, {root!r})
from types import SimpleNamespace
from tests.stage.program import Notes
from tests.stage.wire import PASSWORD, Browser

address, choice = sys.argv[1:]
server, _, code = address.partition("/device?user_code=")
browser = Browser(SimpleNamespace(url=server, notes=Notes()))
browser.sign_in()
browser.open("/device?user_code=" + code)
browser.submit("/device", user_code=code)
sys.exit(browser.submit("/device", user_code=code, decision=choice).status != 200)
"""


def test_the_command(program: Program, command: Command, folder: Path) -> None:
    """A command decides, and the reports are written."""
    script = folder / "approve.py"
    script.write_text(APPROVE.format(root=str(Path(__file__).parents[2])), encoding="utf-8")
    reports = {kind: folder / f"report.{kind}" for kind in ("json", "xml", "html")}
    done = command(
        *("conform", "--issuer", program.url, "--client-id", "tv", "--scope", SCOPE),
        *("--profile", "strict", "--only", "8628-3.5-[ade]", "--only", "metadata"),
        *("--approve", f"{sys.executable} {script} {{verification_uri_complete}} {{choice}}"),
        *("--json", str(reports["json"]), "--junit", str(reports["xml"])),
        *("--html", str(reports["html"]), "--name", "deviceflow"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "profile strict: passed" in done.stdout
    report = msgspec.json.decode(reports["json"].read_bytes())
    found = {each["id"]: each["judgement"] for each in report["checks"]}
    assert [found[each] for each in ("8628-3.5-a", "8628-3.5-d", "8628-3.5-e")] == ["pass"] * 3
    assert report["passed"] is True
    assert reports["xml"].read_text(encoding="utf-8").count("<testcase") == len(found)
    assert 'id="8628-3.5-e"' in reports["html"].read_text(encoding="utf-8")


def test_a_command_that_fails(program: Program, command: Command) -> None:
    done = command(
        *("conform", "--issuer", program.url, "--client-id", "tv", "--only", "8628-3.5-d"),
        *("--approve", "false {user_code}"),
    )
    assert done.returncode == 0, "what could not be judged fails nothing"
    assert "could not be judged" in done.stdout
    assert "status 1" in " ".join(done.stdout.split())
