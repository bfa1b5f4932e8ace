"""What a rollback would need is whole before anything changes, or nothing does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from model.checkout import ROOT

_PROGRAMS = {"systemctl": "exit 0", "iptables-save": "echo '*filter'", "ip6tables-save": "echo '*filter'"}
_ARM = """
. "$1"
mf_accepting_chains() { :; }
mf_state=$2/state mf_units=$2/units mf_work=$2/work
mf_arm
"""


def arm(folder: Path, **programs: str) -> int:
    """Arm a rollback with these programs in the place of the host's; return the exit code."""
    for name in ("bin", "work", "units"):
        (folder / name).mkdir()
    for name in ("paths", "unit", "kernel.sh", "rollback.sh", "undo-4", "service", "timer"):
        (folder / "work" / name).write_text("", "utf-8")
    for name, text in (_PROGRAMS | {name.replace("_", "-"): text for name, text in programs.items()}).items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{text}\n", "utf-8")
        (folder / "bin" / name).chmod(0o755)
    session = ROOT / "templates/host/ufw-session.sh"
    # Which host is armed is written below /run in any case: here into the folder.
    text = session.read_text("utf-8").replace("/run/matrix-fleet-armed", str(folder / "armed"))
    (folder / "session.sh").write_text(text, "utf-8")
    done = subprocess.run(
        ("sh", "-c", _ARM, "sh", folder / "session.sh", folder),
        env={"PATH": f"{folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        check=False,
    )
    return done.returncode


def test_a_host_whose_rules_were_saved_is_armed(tmp_path: Path) -> None:
    assert arm(tmp_path) == 0
    assert (tmp_path / "state/armed/saved4").read_text("utf-8") == "*filter\n"


@pytest.mark.parametrize("program", ["iptables_save", "ip6tables_save"])
def test_rules_that_cannot_be_saved_arm_nothing(tmp_path: Path, program: str) -> None:
    assert arm(tmp_path, **{program: "echo '*filter'; exit 1"}) == 1
    assert not (tmp_path / "state/armed").exists()
    assert not (tmp_path / "armed").exists()
