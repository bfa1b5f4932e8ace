"""kubeadm on a host: the steps it carries out, waited for or taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from model.checkout import HOST_SCRIPTS
from model.errors import CommandFailed
from remote.facts.node import UNIT

if TYPE_CHECKING:
    from nornir.core.inventory import Host

STEP = HOST_SCRIPTS / "node-step.sh"
LOG = "/var/lib/matrix-fleet/kubeadm.log"
SECONDS = 900.0
_COMPLAINT = 700
Step = Literal["init", "join"]


def run_step(host: Host, kind: Step, config: str) -> None:
    """
    Let kubeadm carry out `init` or `join` on a host; it ends there even when this process does not live to see it.

    Raises `CommandFailed` with the end of kubeadm's own words.
    """
    from remote.shell import run

    script = STEP.read_text("utf-8")
    done = run(host, ("sh", "-c", script, "sh", kind), stdin=config.encode(), root=True, timeout=SECONDS)
    if done.exit_code:
        # Where kubeadm itself was never started, whoever should have started it says why.
        why = _words(host) or done.stderr.decode(errors="replace").strip()[-_COMPLAINT:] or "it said nothing"
        raise CommandFailed(host.name, ("kubeadm", kind), done.exit_code, why, f"read {LOG} there")


def version(host: Host) -> str:
    """Return the version of a host's kubeadm, such as 1.36.3: it brings up the control plane of its own version."""
    from remote.shell import run

    return run(host, ("kubeadm", "version", "-o", "short"), root=True).check(host).stdout.decode().strip().lstrip("v")


def await_step(host: Host) -> None:
    """Wait for a step that an earlier run left under way."""
    from remote.shell import run

    run(host, ("systemctl", "start", "--wait", UNIT), root=True, timeout=SECONDS)


def _words(host: Host) -> str:
    from remote.shell import run

    lines = run(host, ("tail", "-n", "40", LOG), root=True).stdout.decode(errors="replace").splitlines()
    errors = [line.strip() for line in lines if "error" in line.lower() or "[ERROR" in line]
    return "; ".join((errors or [line.strip() for line in lines if line.strip()])[-4:])[:_COMPLAINT]


def reset(host: Host) -> None:
    """Take back what a step that broke off left, so that it can begin anew."""
    from remote.shell import run

    argv = ("sh", "-c", "kubeadm reset --force >/dev/null 2>&1; rm -f /var/lib/matrix-fleet/node /etc/cni/net.d/*")
    run(host, argv, root=True, timeout=SECONDS).check(host)
