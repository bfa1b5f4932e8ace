"""What keeps the controller's machine from running compliance by itself, and whether the timer waits."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from flows._schedule.access import shut
from model.report.outcome import Outcome, Status
from model.site.site import Site
from tasks.schedule_units import Setting
from tasks.this_machine import NAME

PLACEHOLDER = "ssh-ed25519 (a new key)"
# systemd gives some signs of a path a meaning of their own.
_PLAIN = re.compile(r"^[A-Za-z0-9/._+@-]+$")
_HIDDEN = (Path("/home"), Path("/root"), Path("/run/user"))
_SECONDS = 20.0


def obstacles(site: Site, setting: Setting, *, leaving: bool = False) -> tuple[str, ...]:
    """
    Return everything that keeps this machine from running it; `leaving`: only what keeps it from being taken away.
    """
    if os.geteuid() != 0:
        return (
            "this changes the machine itself: run it as root, with SSH_AUTH_SOCK kept where an agent holds your keys",
        )
    if not on_systemd():
        return ("this machine is not run by systemd",)
    return () if leaving else (*_places(setting), *_calendar(setting), *shut(site, setting))


def on_systemd() -> bool:
    """Return whether systemd runs this machine."""
    return Path("/run/systemd/system").is_dir()


def _places(setting: Setting) -> Iterator[str]:
    for what, path in (("the site", setting.inventory), ("this program", setting.checkout), ("Python", setting.python)):
        if not _PLAIN.match(str(path)):
            yield f"{what} lies in {path}: a unit of systemd takes only plain letters there"
        if any(path.is_relative_to(hidden) for hidden in _HIDDEN) or any(
            path.resolve().is_relative_to(hidden) for hidden in _HIDDEN
        ):
            yield f"{what} lies in {path}, in somebody's home, which the service does not see: move it to /opt or /srv"


def _calendar(setting: Setting) -> Iterator[str]:
    done = _run("systemd-analyze", "calendar", "--", setting.schedule.calendar)
    if done.returncode:
        yield f"site.yaml: compliance.schedule.calendar: systemd does not know {setting.schedule.calendar!r}"


def timer_told(setting: Setting) -> Outcome:
    """Say when the timer runs next, and how the last run ended."""
    asked = "--property=NextElapseUSecRealtime,LastTriggerUSec,ActiveState,Result,ExecMainStatus,ExecMainExitTimestamp"
    waits, last = (_shown(asked, unit) for unit in (setting.timer, setting.service))
    evidence = {"timer": waits, "service": last}
    if waits.get("ActiveState") != "active":
        return Outcome(
            NAME,
            "schedule/timer",
            Status.DRIFT,
            "the timer does not wait",
            next="python -m flows.schedule install",
            evidence=evidence,
        )
    ended = last.get("ExecMainExitTimestamp")
    was = f"the last run ended {ended} with exit code {last.get('ExecMainStatus')}" if ended else "it has not run yet"
    return Outcome(
        NAME,
        "schedule/timer",
        Status.OK,
        f"next {waits.get('NextElapseUSecRealtime')}; {was}",
        next="",
        evidence=evidence,
    )


def _shown(properties: str, unit: str) -> dict[str, str]:
    lines = _run("systemctl", "show", properties, "--", unit).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS, check=False)
