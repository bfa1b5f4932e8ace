"""What is in the hosts' root file systems. A change here makes a new root, under another hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

RootKind = Literal["bare", "full", "router"]
SUITES = ("bookworm", "trixie")
DEPLOY_UID = 1000
# Where the router keeps the packages it serves.
REPOSITORY = "srv/repository"

BARE = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "iproute2", "iputils-ping", "ca-certificates", "kmod",
    "procps",
)  # fmt: skip
FULL = ("ufw", "python3", "sudo", "iptables", "nftables")
ROUTER = ("dnsmasq-base", "chrony")

# What has no work to do in a host without a console, hardware and way out, and costs time at boot.
MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
    "fstrim.timer", "systemd-tmpfiles-clean.timer", "getty.target", "console-getty.service", "getty@tty1.service",
    "systemd-firstboot.service", "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service",
    "systemd-random-seed.service", "systemd-pstore.service", "systemd-journal-flush.service", "systemd-repart.service",
    "systemd-pcrphase.service", "systemd-pcrphase-sysinit.service", "systemd-machine-id-commit.service",
    "systemd-ask-password-console.path", "systemd-ask-password-wall.path",
    "systemd-networkd-wait-online.service", "dev-hugepages.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
    "sys-kernel-config.mount", "sys-fs-fuse-connections.mount", "proc-sys-fs-binfmt_misc.automount",
    "systemd-binfmt.service", "cryptsetup.target", "integritysetup.target", "veritysetup.target",
    "systemd-udevd.service", "systemd-udev-trigger.service",
)  # fmt: skip

# Started when somebody asks for it, as `systemctl reboot` does, and not at boot.
DEFERRED = ("systemd-logind.service",)

DPKG = """\
# The lab's disks last as long as the lab: no need to wait for them.
force-unsafe-io
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
"""

SSHD = """\
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UseDNS no
PrintMotd no
MaxStartups 200
MaxSessions 200
"""

JOURNAL = """\
[Journal]
Storage=volatile
RuntimeMaxUse=8M
Audit=no
ReadKMsg=no
"""

APT = """\
Acquire::Languages "none";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
"""

# Services must not start while a root is being built: they would run on the machine itself.
POLICY = "#!/bin/sh\nexit 101\n"

FILES = {
    "etc/dpkg/dpkg.cfg.d/lab": DPKG,
    "etc/ssh/sshd_config.d/lab.conf": SSHD,
    "etc/systemd/journald.conf.d/lab.conf": JOURNAL,
    "etc/apt/apt.conf.d/90lab": APT,
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what a root holds, save the mirror's state on the day it is built."""

    suite: str
    revision: int = 7
    bare: tuple[str, ...] = BARE
    full: tuple[str, ...] = FULL
    router: tuple[str, ...] = ROUTER
    masked: tuple[str, ...] = MASKED
    deferred: tuple[str, ...] = DEFERRED

    @property
    def hash(self) -> str:
        """Name of the root's folder."""
        text = json.dumps([asdict(self), FILES, POLICY], sort_keys=True)
        return f"{self.suite}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
