"""The identity that looks at hosts on schedule, and how a run takes it on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from model.checkout import ROOT
from model.errors import SiteError
from model.rollout.graph import active
from model.site.schedule import Schedule
from remote.sudo import ENVIRONMENT
from tasks.schedule_units import Setting

if TYPE_CHECKING:
    from nornir.core import Nornir

    from model.site.site import Site


def schedule_of(site: Site) -> Schedule:
    """Return what the site says of its schedule; raises `SiteError` where it has none."""
    schedule = site.settings.compliance.schedule
    if schedule is None:
        raise SiteError(
            "site.yaml has no `compliance.schedule`: nothing is to run by itself",
            next_step="write `compliance: {schedule: {}}`, which is once a day; docs/schedule.md has the rest",
        )
    return schedule


def setting_of(site: Site, inventory: Path, python: Path) -> Setting:
    """Return what the controller's machine needs to know; `python` is the interpreter that is to run the flows."""
    schedule, compliance = schedule_of(site), site.settings.compliance
    folder = inventory.resolve()
    return Setting(
        site=site.name,
        schedule=schedule,
        inventory=folder,
        checkout=ROOT,
        python=python,
        owner=folder.owner(),
        notifies=bool(compliance.notify),
        local=any(tell.kind in ("mail", "command") for tell in compliance.notify),
        textfile=(folder / compliance.textfile).parent if compliance.textfile else None,
        gates=bool(active(site)),
    )


def assume(nr: Nornir, setting: Setting) -> None:
    """
    Let every host of the inventory be reached as the scheduled identity from now on.

    Raises `SiteError` where its key is not there or not this user's to read.
    """
    from remote import installed

    if not os.access(setting.key, os.R_OK):
        raise SiteError(
            f"the key of the scheduled identity, {setting.key}, cannot be read here",
            next_step="python -m flows.schedule install makes it; only its own account and root may use it",
        )
    # It needs no password, and no other's may be tried for it.
    os.environ.pop(ENVIRONMENT, None)
    for host in nr.inventory.hosts.values():
        installed.assume(host, setting.schedule.user, setting.key)
