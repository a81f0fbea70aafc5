"""The options of `clients add` and `clients set`: all that can be said of a client."""

from typing import Any

import click
import msgspec

from deviceflow.cli.options import fail
from deviceflow.core.client import SECRET_METHODS

PEOPLE = "What people decide about"
PROOF = "How it authenticates"
TOKENS = "Its tokens"
GRANTS = "Its grants"
CODES = "Its user codes, all as device.user_code says unless one is given"

UNSET = (
    "audience",
    "resource",
    "token-format",
    "refresh-token",
    "lifetime",
    "interval",
    "user-code",
)
"""Options whose absence means something."""

OPTIONAL_OR_REQUIRED = click.Choice(["optional", "required"])


class ClientOption(click.Option):
    """An option under a heading of its own in `--help`; its name is the field of `Client`."""

    def __init__(self, group: str, *names: str, **attributes: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(names, **attributes)
        self.group = group


class ClientCommand(click.Command):
    """A command whose `--help` shows options under their headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, group by group."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Argument):
                continue
            if record := parameter.get_help_record(ctx):
                groups.setdefault(getattr(parameter, "group", "Options"), []).append(record)
        for group, records in groups.items():
            with formatter.section(group):
                formatter.write_dl(records)


def client_options(*, new: bool) -> list[click.Parameter]:
    """List the options of a client; only those of a `new` one have defaults."""
    return [*_people(new=new), *_proof(new=new), *_tokens(), *_grants(), *_user_code()]


def _people(*, new: bool) -> list[ClientOption]:
    return [
        ClientOption(
            PEOPLE, "--name", required=new, metavar="TEXT", help="What they read when they decide."
        ),
        ClientOption(
            PEOPLE,
            "--scope",
            "scopes",
            multiple=True,
            metavar="SCOPES",
            default=["openid profile offline_access"] if new else None,
            show_default=True,
            help="All that it may ask for: several with spaces between them, or repeated.",
        ),
    ]


def _proof(*, new: bool) -> list[ClientOption]:
    return [
        ClientOption(
            PROOF,
            "--auth-method",
            type=click.Choice(["none", *SECRET_METHODS, "private_key_jwt", "tls_client_auth"]),
            default="none" if new else None,
            show_default=True,
            metavar="METHOD",
            help="none, for what is installed on devices; client_secret_basic or"
            " client_secret_post, for which a secret is made and shown; private_key_jwt, with"
            " --jwks; tls_client_auth, with --tls-subject.",
        ),
        ClientOption(
            PROOF,
            "--jwks",
            callback=_read_jwks,
            metavar="FILE",
            help="Its public keys as a JWK Set (RFC 7523); - is standard input.",
        ),
        ClientOption(
            PROOF,
            "--tls-subject",
            "tls_client_auth_subject_dn",
            metavar="DN",
            help="The subject of its certificate (RFC 8705), as in CN=meter,O=Example.",
        ),
        ClientOption(
            PROOF,
            "--introspect/--no-introspect",
            default=None,
            help="Whether it is a resource server, which may introspect tokens (RFC 7662).",
        ),
    ]


def _tokens() -> list[ClientOption]:
    return [
        ClientOption(
            TOKENS,
            "--audience",
            metavar="API",
            help="Who they are for where neither resource nor scopes tell it; without it, the"
            " issuer.",
        ),
        ClientOption(
            TOKENS,
            "--resource",
            "resources",
            multiple=True,
            metavar="URI",
            help="An API that it may name with resource (RFC 8707). Repeat it for several.",
        ),
        ClientOption(
            TOKENS,
            "--token-format",
            type=click.Choice(["jwt", "opaque"]),
            help="Without it, as tokens.format says.",
        ),
        ClientOption(
            TOKENS,
            "--refresh-token",
            type=click.Choice(["always", "never"]),
            help="Without it, with the scope offline_access.",
        ),
    ]


def _grants() -> list[ClientOption]:
    return [
        ClientOption(
            GRANTS,
            "--lifetime",
            "lifetime_s",
            type=int,
            metavar="SECONDS",
            help="Without it, as device.lifetime_s says.",
        ),
        ClientOption(
            GRANTS,
            "--interval",
            "interval_s",
            type=int,
            metavar="SECONDS",
            help="Between two polls; without it, as device.interval_s says.",
        ),
        ClientOption(
            GRANTS,
            "--verification-uri-complete/--no-verification-uri-complete",
            default=None,
            help="Whether a link or QR code may carry the code; if not, people type it (RFC 8628"
            " 5.4).",
        ),
        ClientOption(
            GRANTS,
            "--pkce",
            type=OPTIONAL_OR_REQUIRED,
            help="required refuses grants without a code_challenge (RFC 7636).",
        ),
        ClientOption(
            GRANTS,
            "--dpop",
            type=OPTIONAL_OR_REQUIRED,
            help="required refuses grants and tokens without a key of the device (RFC 9449).",
        ),
    ]


def _user_code() -> list[ClientOption]:
    return [
        ClientOption(
            CODES,
            "--user-code-alphabet",
            metavar="NAME",
            help="letters, numeric, or the characters themselves; letters if not given.",
        ),
        ClientOption(
            CODES,
            "--user-code-length",
            type=int,
            metavar="NUMBER",
            help="Characters without the dashes; 8 if not given.",
        ),
        ClientOption(
            CODES,
            "--user-code-group",
            type=int,
            metavar="NUMBER",
            help="Characters between dashes, 0 for no dashes; 4 if not given.",
        ),
    ]


def unset_option() -> click.Parameter:
    """Make the option of `clients set` that takes a value away."""
    return click.Option(
        ["--unset"],
        multiple=True,
        type=click.Choice(UNSET),
        metavar="OPTION",
        help=f"Take an option away: one of {', '.join(UNSET)}. Repeat it for several.",
    )


def _read_jwks(_: click.Context, parameter: click.Parameter, file: str | None) -> object:
    if file is None:
        return None
    option = parameter.opts[0]
    try:
        with click.open_file(file, "rb") as stream:
            jwks = msgspec.json.decode(stream.read(), type=dict[str, Any])
    except OSError as error:
        fail(f"{option}: {file} cannot be read: {error.strerror}; expected a JSON file")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        jwks = {}
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        fail(
            f'{option}: not a JWK Set; expected the JSON {{"keys": [...]}} with one public key'
            " or more (RFC 7517 5)"
        )
    return jwks


OPTION_OF = {
    **{str(option.name): option.opts[0] for option in client_options(new=True)},
    "user_code": "--user-code",
}
"""A field of `Client` (`user_code_length` for one below it) and the option that sets it."""
