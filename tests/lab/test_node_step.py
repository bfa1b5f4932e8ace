"""
A step of kubeadm ends by itself on its host, whatever becomes of whoever began it and whatever systemd does meanwhile.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from remote.facts.node import UNIT
from tasks.kubeadm import LOG, STEP
from tests.lab.driver import Lab

# Ends when a file is there: nothing is to be seen of time.
_KUBEADM = """#!/bin/sh
[ -s /run/matrix-fleet/kubeadm.yaml ] && echo "saw $*"
until [ -e /run/go-on ]; do sleep 0.1; done
mkdir -p /var/lib/kubelet && : >/var/lib/kubelet/config.yaml
"""
_PUT = 'cat >/usr/local/bin/kubeadm && chmod 755 /usr/local/bin/kubeadm && rm -f /run/go-on "$1" "$1.1"'
_UNDO = (
    "rm -rf /usr/local/bin/kubeadm /run/go-on /run/matrix-fleet /var/lib/kubelet /var/lib/matrix-fleet/node "
    f"{LOG} {LOG}.1"
)


def _at(lab: Lab, script: str, stdin: str = "", seconds: float = 60) -> subprocess.CompletedProcess[str]:
    argv = (sys.executable, "-m", "lab", "shell", "db-1", "--", "sh", "-c", script, "sh", LOG)
    return subprocess.run(
        argv, input=stdin, env=lab.environment, capture_output=True, text=True, timeout=seconds, check=False
    )


@pytest.fixture
def begun(lab: Lab) -> Iterator[subprocess.Popen[str]]:
    """A step that waits for a file, and the process that waits for it."""
    assert _at(lab, _PUT, _KUBEADM).returncode == 0
    argv = (sys.executable, "-m", "lab", "shell", "db-1", "--", "sh", "-c", STEP.read_text(), "sh", "join")
    with subprocess.Popen(argv, env=lab.environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as step:
        assert step.stdin is not None
        step.stdin.write("kind: JoinConfiguration\n")
        step.stdin.close()
        met = _at(lab, 'until grep -q saw "$1" 2>/dev/null; do sleep 0.1; done', seconds=30)
        assert met.returncode == 0
        yield step
        step.kill()
    # Let end, not stopped: on old control groups systemd is not told that a group is empty, and may wait 90 s for it.
    _at(lab, f"touch /run/go-on; while systemctl is-active --quiet {UNIT}; do sleep 0.1; done; {_UNDO}")


def test_a_step_survives_whoever_began_it_and_a_reload_and_can_be_waited_for(
    lab: Lab, begun: subprocess.Popen[str]
) -> None:
    begun.kill()
    reloaded = _at(lab, f"systemctl daemon-reload; systemctl show -P LoadState {UNIT}")
    assert reloaded.stdout == "loaded\n", reloaded.stdout
    waited = _at(lab, f"(sleep 0.5; touch /run/go-on) & systemctl start --wait {UNIT}; cat /var/lib/matrix-fleet/node")
    assert waited.stdout == "done join\n", waited.stderr


def test_a_second_step_beside_it_is_refused_and_spoils_nothing(lab: Lab, begun: subprocess.Popen[str]) -> None:
    second = _at(lab, STEP.read_text(), "kind: Another\n")
    assert second.returncode == 1
    assert second.stderr == "another step is under way here\n"
    kept = _at(lab, 'cat /run/matrix-fleet/kubeadm.yaml /var/lib/matrix-fleet/node "$1"')
    assert kept.stdout == "kind: JoinConfiguration\nstarted join\nsaw join --config /run/matrix-fleet/kubeadm.yaml\n"
