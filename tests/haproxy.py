"""HAProxy's program on this machine."""

from __future__ import annotations

import shutil

import pytest


def haproxy_program() -> str:
    """Return where it is; a test that needs it and has it not fails."""
    # Debian's is in a folder of administrators, which sessions of ordinary users do not search.
    found = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if not found:
        pytest.fail("there is no HAProxy: run `make setup`")
    return found
