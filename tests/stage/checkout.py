"""Where the checkout is, for tests that read its other files."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TEMPLATES = ROOT / "templates"
SHIPPED_SETTINGS = ROOT / "config" / "deviceflow.toml"
