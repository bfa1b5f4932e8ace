"""What is on a host, seen from outside: rules, links, routes, mounts, units, processes, paths."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping

from tests.lab.driver import Lab

Footprint = Mapping[str, frozenset[str]]
_BUILT_IN = ("INPUT", "FORWARD", "OUTPUT", "PREROUTING", "POSTROUTING")
# What bootstrap leaves on purpose: ufw, Debian packages and what their scripts make, the operating system's settings,
# programs and the staged bundle.
_MAY_STAY = re.compile(
    r"""^(
    /etc/(ufw|default/ufw|chrony|default/chrony|apt/apt\.conf\.d/80matrix-fleet|sysctl\.d/95-matrix-fleet\.conf)
      (/.*)? $
    | /etc/modules-load\.d/matrix-fleet\.conf $ | /etc/systemd/system/chrony(d\.service|\.service\.d(/.*)?) $
    | /etc/systemd/system/[a-z-]+\.target\.wants(/(chrony|ufw)\.service)? $
    | /etc/rc[0-9S]\.d/.* | /etc/alternatives/.* | /etc/python3.*
    | /etc/(inputrc|networks) $ | /etc/apparmor\.d/local(/.*)? $ | /usr/sbin/.*
    | /etc/(haproxy|keepalived)(/errors.*|/[a-z.]*sample)? $ | /etc/ssl/.*
    | /etc/passwd-? | /etc/group-? | /etc/.*shadow-? | /etc/sub[ug]id-?
    | /opt/cni(/bin(/.*)?)? $ | /usr/local/bin/(containerd.*|ctr|etcdctl|etcdutl|kube(adm|ctl|let)) $
    | /var/lib/matrix-fleet(/(bundle|last|etcd-snapshots|volumes|node\.json)(/.*)?)? $
    | /var/lib/(apt|chrony|haproxy|keepalived|dpkg|ucf|systemd|python|snmp|sudo|private|sgml-base|xml-core|ufw)(/.*)? $
    | /var/(cache|log/apt|log/chrony|tmp|backups)(/.*)? $
    | /var/log/(dpkg|alternatives|ufw|haproxy|lastlog|wtmp|btmp|faillog).*
    | /usr/(lib|share|local/lib)/.*
    )""",
    re.VERBOSE,
)
_UNITS_MAY_STAY = re.compile(
    r"^(chronyd?|ufw|systemd-logind|network-online|modprobe@|system-modprobe|time-s|user[-@.]|session-|"
    r"sudo|nftables|dbus|run-user|"
    r"network-pre|apt-|unattended|dpkg|cron|procps|e2scrub|fstrim|xfs|ssh|systemd-|haproxy|keepalived)"
)


def footprint(lab: Lab, host: str) -> Footprint:
    """Look at one host."""
    leader = next(str(entry["leader"]) for entry in lab.status["hosts"] if entry["name"] == host)

    def inside(*argv: str, spaces: str = "-a") -> str:
        done = subprocess.run(
            ("nsenter", "-t", leader, spaces, *argv), capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    packages = frozenset(inside("sh", "-c", "cat /var/lib/dpkg/info/*.list").splitlines())
    pruned = "find / -xdev ( -path /proc -o -path /sys -o -path /run/lab* ) -prune -o -print"
    paths = frozenset(inside(*pruned.split()).splitlines()) | _below(inside)
    links = {line.split(":")[1].split("@")[0].strip() for line in inside("ip", "-o", "link", spaces="-n").splitlines()}
    routes = inside("ip", "route", spaces="-n").splitlines() + inside("ip", "-6", "route", spaces="-n").splitlines()
    mounts = [line.split()[4] for line in inside("cat", "/proc/1/mountinfo").splitlines()]
    units = inside("systemctl", "list-units", "--no-legend", "--plain").splitlines()
    enabled = inside("systemctl", "list-unit-files", "--state=enabled", "--no-legend").splitlines()
    return {
        "rules": frozenset(_rules(json.loads(inside("nft", "-j", "list", "ruleset", spaces="-n")))),
        "links": frozenset(links),
        "routes": frozenset(route.split(" expires")[0].strip() for route in routes),
        "mounts": frozenset(mounts),
        "units": frozenset(f"runs {line.split()[0]}" for line in units)
        | frozenset(f"starts {line.split()[0]}" for line in enabled),
        "processes": frozenset(inside("ps", "-e", "-o", "comm=").split()),
        "paths": frozenset(path for path in paths if path not in packages),
    }


def _below(inside: object) -> frozenset[str]:
    """Folders that the lab keeps on disks of their own: find stays on one."""
    assert callable(inside)
    paths: list[str] = []
    for folder in ("/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd", "/run"):
        listed = inside("find", folder, "-xdev", "-mindepth", "1", "-maxdepth", "2")
        paths += [
            path for path in listed.splitlines() if not path.startswith(("/run/systemd", "/run/user", "/run/udev"))
        ]
    return frozenset(paths)


def _rules(ruleset: Mapping[str, list[Mapping[str, Mapping[str, object]]]]) -> Iterator[str]:
    """Tables, chains, and rules in built-in chains that have nothing to do with ufw."""
    for item in ruleset["nftables"]:
        for kind, what in item.items():
            if kind == "table" and what["name"] != "filter":
                yield f"table {what['family']} {what['name']}"
            elif kind == "chain" and "ufw" not in str(what["name"]) and what["name"] not in _BUILT_IN:
                yield f"chain {what['family']} {what['table']} {what['name']}"
            elif kind == "rule" and what["chain"] in _BUILT_IN and "ufw" not in str(what["expr"]):
                yield f"rule {what['family']} {what['table']} {what['chain']}: {what['expr']}"


def left_over(before: Footprint, after: Footprint) -> dict[str, list[str]]:
    """Say what is there now that was not there on the fresh host and has no reason to be."""
    traces: dict[str, list[str]] = {}
    for kind, now in after.items():
        new = sorted(now - before[kind])
        if kind == "paths":
            new = [path for path in new if not _MAY_STAY.match(path) and not path.startswith("/run/")] + [
                path for path in new if re.match(r"^/run/(containerd|flannel|calico|kubernetes|netns/)", path)
            ]
        elif kind == "units":
            # Mounts are compared as such: systemd learns of some late.
            new = [unit for unit in new if not _UNITS_MAY_STAY.match(unit.split()[1]) and not unit.endswith(".mount")]
            new += [unit for unit in sorted(now) if re.match(r"^(runs|starts) (haproxy|keepalived)", unit)]
        elif kind == "processes":
            new = [
                name
                for name in new
                if re.match(r"^(kube|etcd|containerd|pause|flannel|coredns|haproxy|keepalived)", name)
            ]
        elif kind == "routes":
            new = [route for route in new if not route.startswith("anycast")]
        if new:
            traces[kind] = new
    return traces
