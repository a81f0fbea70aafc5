"""`deviceflow users passwd`, `link` and `reset-factors`: how a person signs in."""

import click

from deviceflow.audit.events import SecurityEvent
from deviceflow.cli.auditing import record_command
from deviceflow.cli.options import fail
from deviceflow.cli.password_prompt import ask_password
from deviceflow.cli.user_access import UserAccess
from deviceflow.cli.user_records import (
    change_user,
    decoded,
    existing_user,
    username_argument,
    with_access,
    with_users,
)
from deviceflow.config import Settings
from deviceflow.config.reading import shown
from deviceflow.core.provider_tokens import MAX_SUBJECT
from deviceflow.core.upstream_person import UpstreamSubject
from deviceflow.store.connection import Connection
from deviceflow.store.factors import remove_factors
from deviceflow.store.links import Links, LinkTakenError
from deviceflow.store.users import Users


@click.command()
@username_argument
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--keep-devices", is_flag=True, help="Leave devices connected.")
@click.pass_obj
def passwd(settings: Settings, username: str, password_stdin: bool, keep_devices: bool) -> None:
    """Change a user's password, sign the user out in all browsers, disconnect all devices.

    Devices may stay connected (--keep-devices) if no other person had the old password. An API that
    verifies JWTs by itself accepts them until they expire.
    """

    async def change(store: Users, access: UserAccess) -> None:
        await existing_user(store, username)
        hashed = await store.hash(ask_password(stdin=password_stdin))
        account = await change_user(store, username, password_hash=hashed)
        click.echo(f"changed the password of {account.username}")
        end = access.sign_out if keep_devices else access.end
        click.echo(await end(account), err=True)
        await access.record(SecurityEvent.PASSWORD_CHANGED, sub=account.sub)

    with_access(settings, change)


@click.command(name="link")
@username_argument
@click.argument("upstream")
@click.argument("subject", callback=decoded)
@click.pass_obj
def link_user(settings: Settings, username: str, upstream: str, subject: str) -> None:
    """Let a person of an upstream provider sign in as this user.

    UPSTREAM is the id of the provider in [[upstream]], SUBJECT the person's `sub` there: the id of
    the person in its ID tokens, not a name.
    """
    issuers = {provider.id: provider.issuer for provider in settings.upstream}
    if upstream not in issuers:
        known = ", ".join(issuers) or "none"
        fail(f"upstream: the file has no provider {shown(upstream)}; it has {known}")
    if not 0 < len(subject) <= MAX_SUBJECT or not subject.isprintable():
        fail(f"subject: expected 1 to {MAX_SUBJECT} characters, as in the provider's ID tokens")
    whose = UpstreamSubject(issuers[upstream], subject)

    async def link(connection: Connection, store: Users) -> None:
        account = await existing_user(store, username)
        try:
            await Links(connection, store).link(whose, account)
        except LinkTakenError as error:
            fail(f"this person has the account {error.username} already; remove that one first")
        click.echo(f"linked {account.username}")
        reason = f"linked to {upstream}"
        await record_command(
            settings, SecurityEvent.ACCOUNT_CHANGED, sub=account.sub, reason=reason
        )

    with_users(settings, link, changes=True)


@click.command(name="reset-factors")
@username_argument
@click.pass_obj
def reset_factors(settings: Settings, username: str) -> None:
    """Remove a user's passkeys, authenticator app and recovery codes. Sign the user out.

    For a person who has lost all of them: from now on, the password alone signs in. Make sure first
    that it is this person who asks. Devices stay connected (`users revoke --all`).
    """

    async def reset(connection: Connection, store: Users) -> None:
        account = await existing_user(store, username)
        removed = await remove_factors(connection, account.sub)
        access = await UserAccess.open(settings, connection, store)
        signed_out = await access.sign_out(account)
        app = "an authenticator app" if removed.authenticator else "no authenticator app"
        click.echo(
            f"removed from {account.username}: passkeys: {len(removed.passkeys)}, {app},"
            f" recovery codes: {len(removed.recovery)}"
        )
        click.echo(signed_out, err=True)
        await access.record(SecurityEvent.FACTOR_REMOVED, sub=account.sub, subject="all")

    with_users(settings, reset, changes=True)
