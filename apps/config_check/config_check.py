"""Ask this Synapse whether it accepts the configuration of each process, and print its complaints as JSON.

Runs inside the image that will run, without a database: `python3 - '{"PROCESS": ["FILE", ...]}' < config_check.py`.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from importlib.metadata import version

from synapse.config._base import ConfigError
from synapse.config.homeserver import HomeServerConfig


def complaint(files: list[str]) -> str:
    """Return what Synapse has against these files, read in this order; nothing if it accepts them."""
    arguments = [word for file in files for word in ("-c", file)]
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            HomeServerConfig.load_config("", [*arguments, "--no-secrets-in-config"])
    except ConfigError as error:
        where = ".".join(str(step) for step in error.path or ())
        return f"{where}: {error}" if where else str(error)
    except SystemExit:
        return said.getvalue().strip() or "refused without a word"
    except Exception as error:  # noqa: BLE001 - what Synapse does not foresee ends its start as well
        return f"{type(error).__name__}: {error}"
    return ""


def main() -> None:
    """Print the version of Synapse, and a complaint or an empty text a process."""
    asked = json.loads(sys.argv[1])
    complaints = {process: complaint(files) for process, files in asked.items()}
    json.dump({"version": version("matrix-synapse"), "complaints": complaints}, sys.stdout)


main()
