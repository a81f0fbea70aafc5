"""The options of `clients add` and `clients set`: one for each field of a client.

`HELP` is the list of options. The type of a field, in `Client` or below `user_code` in
`UserCodeFormat`, decides which values its option takes; `SPECIAL` has the exceptions.
"""

from typing import Any

import click
import msgspec
from msgspec import inspect

from deviceflow.cli.options import fail
from deviceflow.core.client import Client
from deviceflow.core.client_methods import CLIENT_METHODS, PUBLIC, ClientMethod
from deviceflow.core.user_code import UserCodeFormat

USAGE = {
    "scopes": "--scope SCOPES",
    "optional_scopes": "--optional-scope SCOPES",
    "auth_method": "--auth-method METHOD",
    "jwks": "--jwks FILE",
    "tls_client_auth_subject_dn": "--tls-subject DN",
    "client_uri": "--client-uri URI",
    "policy_uri": "--policy-uri URI",
    "tos_uri": "--tos-uri URI",
    "audience": "--audience API",
    "resources": "--resource URI",
    "start_networks": "--start-network NETWORK",
    "approval_networks": "--approval-network NETWORK",
    "max_approvals_per_hour": "--max-approvals-per-hour NUMBER",
    "lifetime_s": "--lifetime SECONDS",
    "interval_s": "--interval SECONDS",
    "hold_s": "--hold SECONDS",
    "max_sign_in_age_s": "--max-sign-in-age SECONDS",
    "starts": "--starts NUMBER",
    "starts_per_network": "--starts-per-network NUMBER",
    "starts_per_address": "--starts-per-address NUMBER",
    "live_grants": "--live-grants NUMBER",
}
"""How an option is written where its field and the field's type do not say it."""

UNSET = (
    "publisher",
    "client-uri",
    "policy-uri",
    "tos-uri",
    "optional-scope",
    "audience",
    "resource",
    "token-format",
    "algorithm",
    "refresh-token",
    "lifetime",
    "interval",
    "hold",
    "user-code",
    "max-sign-in-age",
    "sign-in",
    "device",
    "start-network",
    "approval-network",
    "near",
    "if-far",
    "max-approvals-per-hour",
    "verification-uri-complete",
    "starts",
    "starts-per-network",
    "starts-per-address",
    "live-grants",
)
"""The options whose absence means something, so that `clients set` can take them away."""


def _flag_of(field: str) -> str:
    return USAGE[field].split()[0] if field in USAGE else "--" + field.replace("_", "-")


def _words_of(method: ClientMethod) -> str:
    """Return what the help says of a method: what it is, and what it needs."""
    if method.credential is None:
        return method.summary
    if method.has_secret:
        return f"{method.summary}, made and shown once"
    return f"{method.summary}, with {_flag_of(method.credential.field)}"


HELP = {
    "What people see": {
        "name": "The name that people read when they decide.",
        "publisher": "Who makes the application. People see it if you vouch for the name.",
        "client_uri": "The address of a page about the application (https).",
        "policy_uri": "The address of its privacy policy.",
        "tos_uri": "The address of its terms of service.",
        "verified": "Whether you vouch for the name. People are warned of a name that is not"
        " verified; a client that registers itself begins so.",
        "scopes": "All scopes that the client may ask for. Separate several with spaces, or repeat"
        " the option.",
        "optional_scopes": "Those of them that people may leave out when they approve.",
    },
    "How the client authenticates": {
        "auth_method": "; ".join(
            f"{name}: {_words_of(method)}" for name, method in CLIENT_METHODS.items()
        )
        + ".",
        "jwks": "A file with the client's public keys as a JWK Set (RFC 7523), or - for standard"
        " input.",
        "tls_client_auth_subject_dn": "The subject of the client's certificate (RFC 8705), such as"
        " CN=meter,O=Example.",
        "introspect": "Whether the client is a resource server and may introspect tokens (RFC"
        " 7662).",
    },
    "Tokens": {
        "audience": "The API that access tokens are for, if neither a resource nor the scopes"
        " decide it. Default: the issuer.",
        "resources": "An API that the client may name with the parameter resource (RFC 8707)."
        " Repeat the option for several.",
        "token_format": "The format of access tokens. Default: the setting tokens.format.",
        "algorithm": "What signs its access and ID tokens. Default: the setting tokens.algorithm.",
        "refresh_token": "Whether grants have a refresh token. Default: those with the scope"
        " offline_access.",
    },
    "Grants": {
        "lifetime_s": "How long a code can be used. Default: the setting device.lifetime_s.",
        "interval_s": "Time between two polls. Default: the setting device.interval_s.",
        "hold_s": "How long a pending poll is held that does not ask for it. Default: the setting"
        " device.hold_s.",
        "device": "Whether the client may use the device authorization grant at all. Default: the"
        " setting device.enabled_by_default.",
        "start_networks": "A network that its devices may ask for codes from. Repeat the option for"
        " several. Default: the setting phishing.start_networks.",
        "approval_networks": "A network that people may approve from. Repeat the option for"
        " several. Default: the setting phishing.approval_networks.",
        "near": "How far away from the person a device may be: at the same address, in the same"
        " network (/24 or /48), in the same country. Default: the setting phishing.near.",
        "if_far": "What follows if a device is further away: a question, the code once more, a"
        " second factor, or a denial. Default: the setting phishing.if_far.",
        "max_approvals_per_hour": "How many of its requests one person may approve in an hour.",
        "verification_uri_complete": "Whether a link or a QR code may contain the code. If not,"
        " people type it (RFC 8628 5.4).",
        "pkce": "If required, a grant needs a code_challenge (RFC 7636).",
        "dpop": "If required, grants and tokens need a key of the device (RFC 9449).",
        "sign_in": "What a person's sign-in must prove before they may approve: anything, a second"
        " factor, or a passkey.",
        "max_sign_in_age_s": "How old the sign-in may be at the approval.",
    },
    "Limits, 0 for none (the settings in [limits] are used unless these are given)": {
        "starts": "How many grants its devices may start in ten minutes.",
        "starts_per_network": "The same for its devices in one /48 network of IPv6.",
        "starts_per_address": "The same for its devices at one IPv4 address, or in one /64 network"
        " of IPv6.",
        "live_grants": "How many of its grants may be unexpired.",
    },
    "User codes (the setting device.user_code is used unless one of these is given)": {
        "user_code_alphabet": "letters, numeric, or the characters themselves. Default: letters.",
        "user_code_length": "The number of characters, without dashes. Default: 8.",
        "user_code_group": "The number of characters between two dashes; 0 for no dashes."
        " Default: 4.",
    },
}
"""The help of every option, by group (a heading of its own) and by field."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "name": {"required": True},
    "scopes": {"default": ["openid profile offline_access"], "show_default": True},
    "auth_method": {"default": PUBLIC, "show_default": True},
}
"""The attributes that an option has only in `clients add`."""


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


SPECIAL: dict[str, dict[str, Any]] = {
    "auth_method": {"type": click.Choice([*CLIENT_METHODS])},
    "jwks": {"callback": _read_jwks},
    "refresh_token": {"type": click.Choice(["always", "never"])},
}


class ClientOption(click.Option):
    """An option under a heading of its own in `--help`; its name is the field of `Client`."""

    def __init__(self, group: str, field: str, text: str, *, new: bool) -> None:
        flag, metavar = _flag_of(field), USAGE.get(field, "").partition(" ")[2] or None
        attributes = {**(SPECIAL.get(field) or _attributes(TYPES[field]))}
        if _is_switch(field):
            flag = f"{flag}/--no-{flag.removeprefix('--')}"
        attributes |= DEFAULTS.get(field, {}) if new else {}
        super().__init__([flag, field], help=text, metavar=metavar, **attributes)
        self.group = group


def _is_switch(field: str) -> bool:
    """Return whether the option has a form that says no: `--device` and `--no-device`."""
    kind = TYPES[field]
    types = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    return inspect.BoolType() in types and field not in SPECIAL


def _attributes(kind: inspect.Type) -> dict[str, Any]:
    """Return click's attributes for an option whose field is of this type."""
    match kind:
        case inspect.Metadata(type=plain) | inspect.UnionType(types=(plain, *_)):
            return _attributes(plain)
        case inspect.VarTupleType():
            return {"multiple": True}
        case inspect.LiteralType(values=values):
            return {"type": click.Choice([*values])}
        case inspect.BoolType():
            return {"default": None}
        case inspect.IntType():
            return {"type": int}
        case _:
            return {}


def _types(kind: type[msgspec.Struct], prefix: str = "") -> dict[str, inspect.Type]:
    """Return the types of a Struct's fields."""
    fields = msgspec.structs.fields(kind)
    return {prefix + field.name: inspect.type_info(field.type) for field in fields}


TYPES = _types(Client) | _types(UserCodeFormat, "user_code_")


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
    return [
        ClientOption(group, field, text, new=new)
        for group, texts in HELP.items()
        for field, text in texts.items()
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


OPTION_OF = {
    **{field: _flag_of(field) for texts in HELP.values() for field in texts},
    "user_code": "--user-code",
}
"""A field of `Client` (`user_code_length` for one below it) and the option that sets it."""
