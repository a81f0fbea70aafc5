"""Settings: what can be set, and what each may be.

A setting is taken from the command line, else from the environment, else from the TOML file,
else it has its default. `load` reports everything that is wrong at once, one line each: the
setting's path, what it is, and what would be right. A type carries its own rule and words.
"""

from deviceflow.config.loading import ConfigError, load, read_client, setting_paths, variable_for
from deviceflow.config.settings import (
    Device,
    Log,
    Pages,
    Redis,
    Registration,
    Section,
    Server,
    Settings,
    Tokens,
    User,
)

__all__ = [
    "ConfigError",
    "Device",
    "Log",
    "Pages",
    "Redis",
    "Registration",
    "Section",
    "Server",
    "Settings",
    "Tokens",
    "User",
    "load",
    "read_client",
    "setting_paths",
    "variable_for",
]
