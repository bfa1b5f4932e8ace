"""Whether a change of a host's firewall waits there to be confirmed, read from what the host says of its rollback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.checkout import HOST_SCRIPTS
from model.errors import ProtocolError
from model.ufw.unconfirmed import ROLLBACK_SECONDS, UnconfirmedChange
from remote.facts.sections import new_mark, read_answer, shell_text

if TYPE_CHECKING:
    from nornir.core.inventory import Host

SCRIPT = HOST_SCRIPTS / "unconfirmed.sh"
_SECONDS = 10.0


def observe(host: Host) -> UnconfirmedChange | None:
    """
    Ask a host, as root, whether a change of its firewall waits to be confirmed.

    Raises `ProtocolError` for an answer that is cut short or not understood, and what running a command raises.
    """
    from remote.shell import run

    mark = new_mark()
    script = f"{shell_text(SCRIPT)}\nmf_mark={mark}\nmf_unconfirmed\nmf_holder\nmf_section end\n"
    done = run(host, ("sh", "-s"), stdin=script.encode(), root=True, timeout=_SECONDS).check(host)
    parts = read_answer(host.name, "its rollback", mark, done.stdout)
    try:
        return read(parts["unconfirmed"], parts["lock"].strip())
    except (ValueError, KeyError) as error:
        raise ProtocolError(host.name, f"the answer about its rollback cannot be understood: {error}") from error


def read(text: str, holder: str) -> UnconfirmedChange | None:
    """
    Read what `mf_unconfirmed` printed; None where no change waits. One that has fired counts more than one that is
    armed. Raises ValueError for what it never prints.
    """
    found: UnconfirmedChange | None = None
    for part in text.strip().split("state ")[1:]:
        lines = part.splitlines()
        values = dict(line.split(" ", 1) for line in lines[1:] if " " in line)
        if lines[0] == "fired":
            return UnconfirmedChange(state="fired", since=_number(values.get("since", "")), holder=holder)
        if lines[0] != "armed":
            raise ValueError(f"no state of a rollback: {lines[0]}")
        found = UnconfirmedChange(
            state="armed",
            since=_number(values.get("since", "")),
            fires_in=_fires_in(values.get("timer", "")),
            holder=holder,
        )
    return found


def _fires_in(timer: str) -> float | None:
    """Return the seconds that the timer has left; None where it does not run, or the host did not say."""
    uptime, *words = timer.split()
    known = dict(word.split("=", 1) for word in words if "=" in word)
    entered = _number(known.get("ActiveEnterTimestampMonotonic", ""))
    if known.get("ActiveState") != "active" or not entered:
        return None
    return max(0.0, ROLLBACK_SECONDS - (float(uptime) - entered / 1e6))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
