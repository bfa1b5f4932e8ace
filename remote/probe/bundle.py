"""The modules that make up the agents for probes, and how they get onto a host."""

from __future__ import annotations

from functools import cache

from remote import amalgamate

LIFE_S = 900
_BOTH = ("channel", "container", "tags", "packets", "filters", "sockets", "host", "streams")
MODULES = {
    "witness": (*_BOTH, "taps", "witness", "main"),
    "source": (*_BOTH, "flights", "replies", "launchers", "source", "main"),
}
_PACKAGE = "remote.probe.agent"


def argv(role: str) -> tuple[str, ...]:
    """Return the command that becomes an agent once `script` is written to it; it must run as root."""
    return amalgamate.argv(f"matrix-fleet-{role}")


@cache
def program(role: str, life: int = LIFE_S) -> str:
    """Return the whole agent, which ends after `life` seconds, as it can lie on a host as one file."""
    if role not in MODULES:
        raise ValueError(f"no agent is called {role!r}")
    return amalgamate.program(
        "agent for probes: it is told on standard input what to send or to look for, and changes nothing.",
        ["model.bits", *(f"{_PACKAGE}.{name}" for name in MODULES[role])],
        f"sys.modules['{_PACKAGE}.main'].run(sys.modules['{_PACKAGE}.{role}'].serve, {life!r})",
    )


@cache
def script(role: str, life: int = LIFE_S) -> bytes:
    """Return what to write to that command."""
    return amalgamate.script(program(role, life))
