"""Where the parts of this checkout lie that are not Python, and which version it is."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = ROOT / "templates"
# Shell that runs on hosts.
HOST_SCRIPTS = TEMPLATES / "host"
# The reference site, which `flows.site init` starts from.
REFERENCE = ROOT / "inventory"


def version() -> str:
    """Return the version that pyproject.toml names."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"])
