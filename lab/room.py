"""Whether this machine has room for a lab: a full disk puts every node of every cluster under pressure at once."""

from __future__ import annotations

import os
from pathlib import Path

from lab.errors import LabError
from lab.plan import LabPlan
from lab.topology import LabHost

_GIB = 2**30
_MIB = 2**20
# Measured: what a host's own disk grows to. A node's is programs, images packed and unpacked; etcd's comes on top.
_PLAIN = 60 * _MIB
_NODE = 750 * _MIB
_CONTROL_PLANE = 1150 * _MIB
# Images, media and databases of the application, on every host that may carry them.
_APPLICATION = 900 * _MIB
# kubelet evicts pods below 2 GiB, as the emitted site says.
_RESERVE = 2 * _GIB
_LEAST = {False: _GIB, True: 2 * _RESERVE}


def check(plan: LabPlan, folder: Path) -> str:
    """
    Return a warning where a new lab in this folder is likely to fill its disk, else nothing.

    Raises LabError where there is no room to begin with.
    """
    return judge(plan, folder, free(folder))


def judge(plan: LabPlan, folder: Path, available: int) -> str:
    """Do the same for so many bytes."""
    wanted, least = need(plan), _LEAST[plan.bare]
    here = f"{folder} has {available / _GIB:.1f} GiB free"
    if available < least:
        raise LabError(f"{here}, and no lab of this kind starts below {least / _GIB:.0f} GiB; {_ADVICE}")
    if available >= wanted:
        return ""
    pressure = "; nodes evict pods when it is down to 2 GiB" if plan.bare else ""
    return f"{here}, and this lab ({plan}) may come to take {wanted / _GIB:.0f} GiB{pressure}; {_ADVICE}"


def need(plan: LabPlan) -> int:
    """Return the bytes that a lab may come to take, with what must stay free for it to work."""
    return sum(_share(plan, host) for host in plan.hosts) + (_RESERVE if plan.bare else 0)


def free(folder: Path) -> int:
    """
    Return the bytes that a folder's disk still takes, or would once the folder is there.

    A disk may show far more than it gives; this is what it gives.
    """
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    disk = os.statvfs(place)
    return disk.f_bavail * disk.f_frsize


def _share(plan: LabPlan, host: LabHost) -> int:
    if not plan.bare or not host.serves_the_site:
        return _PLAIN
    own = _CONTROL_PLANE if "control_plane" in host.roles else _NODE
    return own + (_APPLICATION if plan.has_application else 0)


_ADVICE = (
    "make room: take other labs down (`MATRIX_FLEET_LAB=NAME .venv/bin/python -m lab down`), clear compilers' caches"
    " (`go clean -cache`)"
)
