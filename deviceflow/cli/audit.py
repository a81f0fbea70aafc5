"""`deviceflow audit`: the lines that say who did what."""

from pathlib import Path

import click

from deviceflow.audit.verification import AuditProblem, ChainReading, Verification
from deviceflow.cli.help import Group
from deviceflow.cli.options import fail, store_options, store_settings
from deviceflow.cli.store_access import with_store
from deviceflow.pages.sign_in.failures import tried_name
from deviceflow.store.connection import Connection
from deviceflow.store.envelope_source import open_envelope
from deviceflow.store.installation import Installation

_SHOWN = 20


@click.group(cls=Group)
def audit() -> None:
    """Verify and read the audit: what happened to codes, tokens, accounts and settings."""


@audit.command(name="verify")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True)
)
def verify(files: tuple[Path, ...]) -> None:
    """Say whether FILES have every line of the audit, as it was written.

    Give a file with those that were rotated (audit.jsonl*), in any order. Each may have lines of
    several processes. Prints the chains, then what is wrong, with file and line, and ends with
    status 1 if a line is missing, changed or cut out.
    """
    verification = Verification()
    for file in files:
        try:
            with file.open("rb") as lines:
                verification.read(str(file), lines)
        except OSError as error:
            fail(f"{file}: {error.strerror}")
    if not verification.lines:
        fail("there is no line of an audit in these files")
    for chain in sorted(verification.chains.values(), key=lambda each: each.first.line.time):
        click.echo(_chain_text(chain))
    problems = verification.problems()
    breaks = [problem for problem in problems if problem.is_break]
    for remark in (problem for problem in problems if not problem.is_break):
        click.echo(f"note: {_problem_text(remark)}")
    for problem in breaks[:_SHOWN]:
        click.echo(f"BREAK: {_problem_text(problem)}")
    if len(breaks) > _SHOWN:
        click.echo(f"... and {len(breaks) - _SHOWN} more")
    if breaks:
        fail(f"broken: {_problem_text(breaks[0])}")
    click.echo(f"whole: {verification.lines} lines, {len(verification.chains)} chains")


@audit.command(name="name")
@click.argument("username")
@store_options
def show_name(
    username: str, config_file: Path | None, redis_url: str | None, data_dir: str | None
) -> None:
    """Print the hash by which the audit names USERNAME if no account has that name.

    Look for it as `tried_name`. After `deviceflow keys rotate --installation` it is another one.
    """
    settings = store_settings(config_file, redis_url, data_dir)

    async def show(connection: Connection) -> None:
        installation = await Installation.find(connection, open_envelope(settings.keys))
        click.echo(tried_name(installation, username))

    with_store(settings, show, changes=False)


def _chain_text(chain: ChainReading) -> str:
    first, last = chain.first.line, chain.last.line
    what = " ".join(filter(None, (chain.process, chain.host and f"on {chain.host}")))
    end = "ended" if chain.is_ended else "open: it runs, was killed, or its end was cut off"
    return (
        f"chain {chain.name}{f' ({what})' if what else ''}: lines {first.sequence} to"
        f" {last.sequence}, {first.time} to {last.time}, {end}; last hash {chain.last.hash}"
    )


def _problem_text(problem: AuditProblem) -> str:
    return f"{problem.spot} {problem.text}"
