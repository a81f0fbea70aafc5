"""Reading the settings from the file, the environment and the command line."""

import copy
import math
import os
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import msgspec
from msgspec import UnsetType

from deviceflow.config.reading import (
    Reading,
    StringValue,
    is_table,
    join,
    struct_in,
    suggestion,
)
from deviceflow.config.rules import RULES
from deviceflow.config.sections import MAX_WORKERS, Server
from deviceflow.config.settings import DEFAULT_SCOPES, Settings
from deviceflow.core.client import Client
from deviceflow.core.user_code import LETTERS, NUMERIC

ALPHABETS = {"letters": LETTERS, "numeric": NUMERIC}
"""Alphabets that a file may name instead of listing their characters."""

PATHS = (
    "admin.token_file",
    "keys.envelope_file",
    "audit.file",
    "server.data_dir",
    *("pages.geoip_file", "pages.logo", "pages.templates_dir", "pages.texts_dir"),
)
"""The settings that are paths of files and folders."""

AUTO = "auto"
"""As the number of workers: one for each core."""

_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_VARIABLE = "DEVICEFLOW_"
_FILE_VARIABLE = "DEVICEFLOW_CONFIG"


class ConfigError(Exception):
    """Settings that cannot be used. `problems`: a line for each problem."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(
    path: Path | None,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, object] = MappingProxyType({}),
) -> Settings:
    """Read the settings: defaults, then the file, then the environment, then `overrides`.

    If `path` is None, DEVICEFLOW_CONFIG may name the file. `overrides` maps dotted paths
    (`server.port`) to values of the command line; None means that the option was not used.
    If there is a file, paths (`server.data_dir`) are relative to its folder, unless the environment
    or the command line sets them. So all commands with the same file use the same store.
    May raise ConfigError, which lists all problems.
    """
    if path is None and environ.get(_FILE_VARIABLE):
        path = Path(environ[_FILE_VARIABLE])
    document = _document(path) if path else {}
    origins: dict[str, str] = {}
    reading = Reading(RULES, setting_paths(), str(path) if path else "", origins)
    for variable, setting in _from_environment(environ, reading, origins):
        _put(document, setting, StringValue(environ[variable]))
        origins[setting] = variable
    for setting, value in overrides.items():
        if value is not None:
            _put(document, setting, value)
            origins[setting] = "command line"
    _spell_out(document)
    settings = reading.struct(Settings, document)
    if reading.problems or isinstance(settings, UnsetType):
        raise ConfigError(tuple(reading.problems.values()))
    if path is None:
        return settings
    return _beside(path, _with_files_beside(path, settings), origins)


def data_dir_of(path: Path | None, environ: Mapping[str, str], override: str | None) -> Path:
    """Return the data directory of a server, also where the rest of its file is no good.

    So a command can reach the server whose file has just been broken, and hear what is wrong.
    """
    if override is not None:
        return Path(override)
    if path is None and environ.get(_FILE_VARIABLE):
        path = Path(environ[_FILE_VARIABLE])
    if variable := environ.get(variable_for("server.data_dir")):
        return Path(variable)
    if path is None:
        return Path(Server().data_dir)
    try:
        server = _document(path).get("server")
    except ConfigError:
        server = None
    folder = server.get("data_dir") if isinstance(server, dict) else None
    return path.absolute().parent / (folder if isinstance(folder, str) else Server().data_dir)


def read_client(fields: Mapping[str, object], settings: Settings) -> Client:
    """Read a client by the rules for the clients in a file with these `settings`.

    May raise ConfigError; each line begins with the name of a field.
    """
    path = "clients[0]"
    fields = copy.deepcopy(dict(fields))
    _spell_out({"clients": [fields]})
    reading = Reading(RULES, (), "", {})
    client = reading.struct(Client, fields, path)
    if not reading.problems and not isinstance(client, UnsetType):
        with_client = msgspec.structs.replace(settings, clients=(client,))
        for name, wrong, right in RULES[Settings](with_client):
            reading.refuse(name, wrong, f"expected {right}")
    if reading.problems or isinstance(client, UnsetType):
        lines = reading.problems.values()
        raise ConfigError(tuple(line.removeprefix(f"{path}.") for line in lines))
    return client


def setting_paths(kind: type[msgspec.Struct] = Settings, above: str = "") -> tuple[str, ...]:
    """List the dotted paths of all settings that hold a plain value or a list of plain values.

    The others, `scopes`, `resources`, `clients`, `users` and `upstream`, can only be set in a file.
    """
    paths: list[str] = []
    for field in msgspec.structs.fields(kind):
        path = join(above, field.name)
        if nested := struct_in(field.type):
            paths += setting_paths(nested, path)
        elif not is_table(field.type) and not any(map(struct_in, get_args(field.type))):
            paths.append(path)
    return tuple(paths)


def variable_for(setting: str) -> str:
    """Return the name of a setting's environment variable: `DEVICEFLOW_SERVER_PORT`."""
    return _VARIABLE + setting.replace(".", "_").upper()


def _beside(file: Path, settings: Settings, origins: Mapping[str, str]) -> Settings:
    """Return the settings with the paths that `file` sets made relative to its folder."""
    # Do not resolve symbolic links: a mounted file may be a link into a folder that is replaced.
    folder = file.absolute().parent
    sections: dict[str, dict[str, str]] = {}
    for setting in PATHS:
        section, name = setting.split(".")
        path = getattr(getattr(settings, section), name)
        if path is not None and setting not in origins:
            sections.setdefault(section, {})[name] = str(folder / path)
    changed: dict[str, Any] = {
        section: msgspec.structs.replace(getattr(settings, section), **paths)
        for section, paths in sections.items()
    }
    clients = tuple(
        msgspec.structs.replace(client, logo=str(folder / client.logo)) if client.logo else client
        for client in settings.clients
    )
    return msgspec.structs.replace(settings, clients=clients, **changed)


def _with_files_beside(file: Path, settings: Settings) -> Settings:
    """Take the paths of upstreams' credentials as relative to the folder of the settings file."""
    folder = file.absolute().parent
    upstreams = tuple(
        msgspec.structs.replace(
            upstream,
            **{
                name: str(folder / path)
                for name in ("client_secret_file", "key_file")
                if (path := getattr(upstream, name)) is not None
            },
        )
        for upstream in settings.upstream
    )
    return msgspec.structs.replace(settings, upstream=upstreams)


def _document(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or "input/output error"
        raise ConfigError((f"{path}: cannot be read: {reason}; expected a TOML file",)) from error
    except RecursionError as error:
        raise ConfigError((f"{path}: lists or tables nested too deeply; expected TOML",)) from error
    except ValueError as error:  # not TOML, not UTF-8, or a number of thousands of digits
        hint = " (text needs quotes)" if str(error).startswith("Invalid value") else ""
        raise ConfigError((f"{path}: {error}{hint}; expected TOML in UTF-8",)) from error
    if isinstance(scopes := document.get("scopes"), dict):
        document["scopes"] = DEFAULT_SCOPES | scopes
    return document


def _from_environment(
    environ: Mapping[str, str], reading: Reading, origins: dict[str, str]
) -> list[tuple[str, str]]:
    """List the variables that are set, each with its setting. Refuse unknown variables.

    An empty variable counts as not set, because compose files leave variables out that way.
    """
    known = {variable_for(setting): setting for setting in setting_paths()}
    names = [name for name in environ if name.startswith(_VARIABLE) and environ[name]]
    for name in names:
        if name not in known and name != _FILE_VARIABLE and not _is_service(name, environ[name]):
            origins[name] = "environment"
            reading.refuse(name, "unknown variable", suggestion(name, [*known, _FILE_VARIABLE]))
    return [(name, known[name]) for name in names if name in known]


def _is_service(name: str, value: str) -> bool:
    # Kubernetes sets these variables in every container, for a Service called "deviceflow".
    if re.fullmatch(r"DEVICEFLOW_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)", name):
        return True
    if re.fullmatch(r"DEVICEFLOW_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?", name):
        return True
    return name == "DEVICEFLOW_PORT" and "://" in value


def _put(document: dict[str, Any], setting: str, value: object) -> None:
    *tables, name = setting.split(".")
    table = document
    for key in tables:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            return  # Reading reports that this should be a table
        table = inner
    table[name] = value


def cores() -> int:
    """Return how many cores this process may use: by its affinity, and by its cgroup's quota."""
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    try:
        quota, period = _CPU_QUOTA.read_text("ascii").split()
        allowed = min(allowed, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError, ZeroDivisionError):
        pass  # no cgroup v2, or "max": no quota
    return min(max(allowed, 1), MAX_WORKERS)


def _spell_out(document: Mapping[str, Any]) -> None:
    """Replace the names of alphabets by their characters, and "auto" by the number of cores."""
    server = document.get("server")
    if isinstance(server, dict) and isinstance(name := server.get("workers"), str):
        server["workers"] = cores() if name == AUTO else name
    clients = document.get("clients")
    for table in (document.get("device"), *(clients if isinstance(clients, list) else ())):
        code = table.get("user_code") if isinstance(table, dict) else None
        if isinstance(code, dict) and isinstance(name := code.get("alphabet"), str):
            code["alphabet"] = ALPHABETS.get(name, name)
