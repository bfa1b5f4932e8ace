"""What lets a server of the site run containers and Kubernetes without changing the machine it runs on."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path

from lab import kernelconfig

# containerd's snapshots are overlays, which cannot lie on another overlay; and images are large.
_PLAIN = ("var/lib/containerd", "var/lib/kubelet", "var/lib/etcd")

# The machine's own settings that a server may want to set: each host has a file of its own over them, of this content
# at boot, or as the machine has it. What belongs to a network namespace is a host's own anyway; every other setting of
# the machine's is read-only.
_OWN = {
    "vm/overcommit_memory": "0",
    "vm/panic_on_oom": "0",
    "vm/max_map_count": "",
    "vm/swappiness": "",
    "kernel/panic": "0",
    "kernel/panic_on_oops": "0",
    "kernel/pid_max": "",
    "kernel/keys/maxkeys": "200",
    "kernel/keys/maxbytes": "20000",
    "kernel/keys/root_maxkeys": "",
    "kernel/keys/root_maxbytes": "",
    "fs/file-max": "",
    "fs/nr_open": "",
    "fs/aio-max-nr": "",
    "fs/protected_fifos": "",
    "fs/protected_hardlinks": "",
    "fs/protected_regular": "",
    "fs/protected_symlinks": "",
    "fs/inotify/max_queued_events": "",
    "fs/inotify/max_user_instances": "128",
    "fs/inotify/max_user_watches": "65536",
    "net/netfilter/nf_conntrack_max": "262144",
}

_EARLY = "usr/lib/lab/early"
_FIRST_LINES = "usr/lib/lab/first-lines"
_SETTINGS = "usr/lib/lab/settings"
_PRODUCT = "usr/lib/lab/product_uuid"
_UNITS = "usr/lib/systemd/system"

_EARLY_UNIT = f"""\
[Unit]
Description=Control groups and kernel settings of this server's own
DefaultDependencies=no
Before=sysinit.target systemd-sysctl.service systemd-modules-load.service ufw.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /{_EARLY}
"""

# systemd-sysctl writes over a setting's beginning, as suits the kernel's files; of an ordinary file the old one's end
# would stay.
_SYSCTL_UNIT = f"""\
[Service]
ExecStartPost=/bin/sh /{_FIRST_LINES}
"""

_EARLY_SCRIPT = f"""\
set -eu
for point in $(findmnt --raw --noheadings --output TARGET | grep '^/sys/fs/cgroup'); do
    mount -o remount,bind,rw "$point"
done
mkdir /run/lab
cd /proc/sys
names=
while read -r name value; do
    [ ! -e "$name" ] || names="$names $name"
done < /{_SETTINGS}
cp --parents --no-preserve=mode $names /run/lab
while read -r name value; do
    [ -e "$name" ] || continue
    [ -z "$value" ] || echo "$value" > "/run/lab/$name"
    echo "/run/lab/$name /proc/sys/$name none bind"
done < /{_SETTINGS} > /run/lab.fstab
uuid=/sys/class/dmi/id/product_uuid
[ ! -e $uuid ] || echo "/{_PRODUCT} $uuid none bind" >> /run/lab.fstab
mount --all --fstab /run/lab.fstab
[ -e /lib/modules/*/modules.builtin.bin ] || depmod
"""

_FIRST_LINES_SCRIPT = f"""\
while read -r name value; do
    file=/run/lab/$name
    if [ -e "$file" ] && read -r value < "$file"; then echo "$value" > "$file"; fi
done < /{_SETTINGS}
"""

# systemd-nspawn's own filter of system calls is too narrow for containers; `lab.seccomp` is put in its place.
ENVIRONMENT = {"SYSTEMD_SECCOMP": "0"}


def files() -> Mapping[str, str]:
    """Return the lab's own files on a server's disk, path to text."""
    return {
        _EARLY: _EARLY_SCRIPT,
        _FIRST_LINES: _FIRST_LINES_SCRIPT,
        _SETTINGS: "".join(f"{name} {value}\n" for name, value in _OWN.items()),
        _PRODUCT: f"{uuid.uuid4()}\n",
        f"{_UNITS}/lab-early.service": _EARLY_UNIT,
        f"{_UNITS}/systemd-sysctl.service.d/lab.conf": _SYSCTL_UNIT,
        f"{kernelconfig.folder()}/modules.builtin": kernelconfig.built_in(),
        f"{kernelconfig.folder()}/modules.order": "",
    }


def links() -> Mapping[str, str]:
    """Return the link that makes the lab's unit start at boot, path to target."""
    return {f"{_UNITS}/sysinit.target.wants/lab-early.service": "../lab-early.service"}


def arguments(data: Path) -> tuple[str, ...]:
    """Return what systemd-nspawn is told for a server whose plain folders lie in `data`; makes them."""
    for name in _PLAIN:
        # As those who use it would make it: etcd complains of one that others can read.
        (data / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    return (
        "--capability=all",
        # No host sets the machine's clock.
        "--drop-capability=CAP_SYS_TIME",
        "--bind=/dev/kmsg",
        "--bind-ro=/sys/module",
        *(f"--bind={data / name}:/{name}" for name in _PLAIN),
    )
