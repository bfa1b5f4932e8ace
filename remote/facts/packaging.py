"""What keeps a host's package manager from working, read from what the host says of it."""

from __future__ import annotations

from collections.abc import Mapping

from model.checkout import HOST_SCRIPTS
from remote.facts.sections import MISSING

SCRIPT = HOST_SCRIPTS / "packaging.sh"


def read(sections: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    """
    Return the steps that dpkg began and never finished, and what apt complains of (empty: of nothing), as
    `mf_packaging` printed them; raises KeyError for what is not there.
    """
    return tuple(sections["journal"].split()), _complaint(sections["apt"], sections["end of apt"].strip())


def _complaint(text: str, code: str) -> str:
    """Return what apt says is wrong; one that is not there says nothing."""
    if code in ("0", MISSING):
        return ""
    lines = [line.strip() for line in text.splitlines() if line.startswith("E: ")] or text.split("\n")
    return "; ".join(line.removeprefix("E: ") for line in lines if line.strip()) or f"it ended with {code}"
