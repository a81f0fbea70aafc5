"""The settings, their types, and the rules for their values.

A setting is taken from the command line, else from the environment, else from the TOML file,
else it has its default. `load` reports all problems at once. The line of a problem has the path
of the setting, its value, and what would be right. Each type carries its own rule and description.
"""

from deviceflow.config.loading import (
    ConfigError,
    data_dir_of,
    load,
    read_client,
    setting_paths,
    variable_for,
)
from deviceflow.config.sections import (
    Admin,
    AuditSettings,
    Device,
    GrantLimits,
    Keys,
    Log,
    Notices,
    Pages,
    Phishing,
    Redis,
    Registration,
    Section,
    SecurityEvents,
    Server,
    SignIn,
    Tokens,
    Tracing,
    User,
)
from deviceflow.config.settings import Settings
from deviceflow.config.upstreams import Upstream

__all__ = [
    "Admin",
    "AuditSettings",
    "ConfigError",
    "Device",
    "GrantLimits",
    "Keys",
    "Log",
    "Notices",
    "Pages",
    "Phishing",
    "Redis",
    "Registration",
    "Section",
    "SecurityEvents",
    "Server",
    "Settings",
    "SignIn",
    "Tokens",
    "Tracing",
    "Upstream",
    "User",
    "data_dir_of",
    "load",
    "read_client",
    "setting_paths",
    "variable_for",
]
