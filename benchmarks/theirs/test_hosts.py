"""The facts that flows.compliance looks at on servers and the same judgements, as a testinfra user would write them."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

RESOLVE = (Path(__file__).parent / "resolve.py").read_text("utf-8")
CONTEXT = "host=elsewhere.invalid,addr=203.0.113.1"


def lines(host: Any, command: str) -> list[str]:
    return list(host.check_output(command).splitlines())


def test_system(host: Any) -> None:
    release = host.check_output("cat /etc/os-release")
    assert "ID=debian" in release
    assert re.search("VERSION_CODENAME=(bookworm|trixie)", release)


def test_packages(host: Any) -> None:
    states = [line[:3] for line in lines(host, r"dpkg-query -W -f '${db:Status-Abbrev}|${Package}|${Version}\n'")]
    assert set(states) <= {"ii ", "rc ", "un "}


def test_updates(host: Any) -> None:
    host.check_output("ls -l --time-style=+%s /var/lib/apt/lists")


def test_reboot(host: Any) -> None:
    running, *rest = lines(host, "uname -r; ls /boot; ls /run/reboot-required 2>/dev/null || true")
    kernels = [name for name in rest if name.startswith("vmlinuz-")]
    assert not kernels or f"vmlinuz-{running}" in kernels
    assert "/run/reboot-required" not in rest


def test_size(host: Any, wanted: dict[str, Any]) -> None:
    cpus, *memory = lines(host, "nproc; cat /proc/meminfo")
    assert int(cpus) >= wanted["cpus"]
    assert int(memory[0].split()[1]) >= wanted["memory_mb"] * 1024


def test_disks(host: Any) -> None:
    rows = host.run("df --output=target,pcent -x proc -x sysfs -x devpts -x squashfs").stdout.splitlines()[1:]
    full = [line for line in rows if line.rstrip("%").split()[-1].isdigit() and int(line.rstrip("%").split()[-1]) > 90]
    assert not full


def test_swap(host: Any) -> None:
    assert not [line for line in lines(host, "cat /proc/swaps /etc/fstab")[1:] if " swap " in line]


def test_links(host: Any, wanted: dict[str, Any]) -> None:
    held = [
        info["local"]
        for link in json.loads(host.check_output("ip -j addr"))
        for info in link.get("addr_info", ())
        if "local" in info
    ]
    assert set(wanted["addresses"]) <= set(held)


def test_kernel_settings(host: Any, wanted: dict[str, Any]) -> None:
    if wanted["sysctl"]:
        values = lines(host, f"sysctl -e {' '.join(wanted['sysctl'])}")
        assert not wanted["prepared"] or len(values) == len(wanted["sysctl"])


def test_kernel_modules(host: Any, wanted: dict[str, Any]) -> None:
    if wanted["modules"]:
        modules = host.run("cat /proc/modules /lib/modules/$(uname -r)/modules.builtin").stdout
        assert not wanted["prepared"] or all(name in modules for name in wanted["modules"])


def test_services(host: Any, wanted: dict[str, Any]) -> None:
    shown = host.check_output(
        f"systemctl show --property=Id,LoadState,ActiveState,UnitFileState -- {' '.join(wanted['units'])}"
    )
    assert "ActiveState=active" in shown


def test_no_failed_unit(host: Any) -> None:
    assert host.check_output("systemctl list-units --state=failed --plain --no-legend --no-pager") == ""


def test_listeners(host: Any, wanted: dict[str, Any]) -> None:
    listening = set()
    for line in lines(host, "ss -Hlntup"):
        kind, _state, _in, _out, place = line.split()[:5]
        address, _, port = place.rpartition(":")
        if not address.startswith(("127.", "[::1]")):
            listening.add(f"{port}/{kind}")
    assert listening <= set(wanted["listeners"])


def test_time(host: Any, wanted: dict[str, Any]) -> None:
    tracking = host.run("chronyc -c tracking")
    assert tracking.rc or not wanted["prepared"] or tracking.stdout.strip().endswith("Normal")


def test_sudo(host: Any, wanted: dict[str, Any]) -> None:
    rows = [line.split(":") for line in lines(host, "getent passwd; getent group; cat /etc/sudoers /etc/sudoers.d/*")]
    assert [row[0] for row in rows if len(row) == 7 and row[2] == "0"] == ["root"]
    (sudo,) = [row for row in rows if len(row) == 4 and row[0] == "sudo"]
    assert set(filter(None, sudo[3].split(","))) <= set(wanted["administrators"])
    administrators = [row[0].split()[0] for row in rows if re.match(r"^[^#@%\s]\S*\s+ALL=", ":".join(row))]
    assert set(administrators) <= {*wanted["administrators"], "root"}


def test_sshd(host: Any) -> None:
    for user in ("root", "nobody"):
        options = lines(host, f"/usr/sbin/sshd -T -C user={user},{CONTEXT}")
        for setting in (
            "passwordauthentication no",
            "kbdinteractiveauthentication no",
            "permitemptypasswords no",
            "pubkeyauthentication yes",
        ):
            assert setting in options


def test_ufw(host: Any, wanted: dict[str, Any]) -> None:
    assert host.check_output("cat /etc/ufw/user.rules /etc/ufw/user6.rules") == wanted["ufw"]
    options = lines(host, "cat /etc/default/ufw /etc/ufw/ufw.conf")
    assert "ENABLED=yes" in options
    assert 'DEFAULT_INPUT_POLICY="DROP"' in options


def test_rules(host: Any, wanted: dict[str, Any]) -> None:
    for number, command, chain in ((0, "iptables-save", "ufw-user-input"), (1, "ip6tables-save", "ufw6-user-input")):
        rules = lines(host, command)
        assert sum(line.startswith(f"-A {chain}") for line in rules) == wanted["kernel_rules"][number]
        assert any(line.startswith(":INPUT DROP") for line in rules)


def test_foreign_rules(host: Any) -> None:
    ruleset = json.loads(host.check_output("nft -j list ruleset"))["nftables"]
    tables = {part["table"]["name"] for part in ruleset if "table" in part}
    assert tables <= {"filter", "nat", "mangle", "raw", "security"}


def test_certificates(host: Any, wanted: dict[str, Any]) -> None:
    paths = host.run("find /etc/kubernetes/pki -name '*.crt'").stdout
    assert not paths or wanted["prepared"]


def test_names(host: Any, wanted: dict[str, Any]) -> None:
    for server in wanted["resolvers"]:
        answers = host.check_output(f"python3 -c {shlex.quote(RESOLVE)} {server} {' '.join(wanted['names'])}")
        assert json.loads(answers) == wanted["answers"]
