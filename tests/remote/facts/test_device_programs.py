"""What stands at devices beside netfilter's tables is seen, by the tools that a host has, or said not to be seen."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from model.packets.devices import Devices
from remote.facts import devices
from remote.facts.sections import sections, shell_text

# As iproute2 and bpftool print them.
XDP = {"ifname": "eth0", "xdp": {"mode": 1, "prog": {"id": 12, "tag": "3b185187f1855c4c"}}}
QUEUES = "qdisc noqueue 0: dev lo root refcnt 2\nqdisc clsact ffff: dev eth0 parent ffff:fff1\n"
FILTERS = """eth0 ingress filter protocol all pref 49152 bpf chain 0
eth0 ingress filter protocol all pref 49152 bpf chain 0 handle 0x1 prog.o:[x] direct-action
eth0 ingress     action order 1: gact action drop
eth0 egress filter protocol ip pref 2 u32 chain 0
"""
NET = [{"xdp": [], "tc": [{"devname": "eth1", "kind": "tcx/egress", "id": 7}], "flow_dissector": [], "netfilter": []}]
CGROUP = [
    {"id": 3, "attach_type": "cgroup_device", "name": "sd_devices"},
    {"id": 4, "attach_type": "cgroup_inet_ingress", "name": "x"},
]
NOTHING = {
    "devices": "lo device\neth0 device\n",
    "device-links": "[]",
    "end of device-links": "0\n",
    "tc-queues": "",
    "end of tc-queues": "0\n",
    "tc-filters": "",
    "net-programs": "",
    "cgroup-programs": "",
}


def told(**parts: str) -> Devices:
    return devices.read(NOTHING | {name.replace("_", "-"): body for name, body in parts.items()})


def words(seen: Devices) -> list[str]:
    return [program.words for program in seen.programs]


def test_a_host_without_any_has_none() -> None:
    assert told() == Devices(bridges=frozenset())
    assert (
        words(told(device_links=json.dumps([{"ifname": "eth0"}]), tc_queues="qdisc fq_codel 0: dev eth0 root\n")) == []
    )


@pytest.mark.parametrize(
    ("parts", "device", "ways", "command"),
    [
        ({"device_links": json.dumps([{"ifname": "lo"}, XDP])}, "eth0", {"in"}, "`ip -d link show dev eth0`"),
        ({"tc_filters": FILTERS.split("eth0 egress")[0]}, "eth0", {"in"}, "`tc filter show dev eth0 ingress`"),
        ({"tc_filters": FILTERS.splitlines()[-1]}, "eth0", {"out"}, "`tc filter show dev eth0 egress`"),
        ({"net_programs": json.dumps(NET)}, "eth1", {"out"}, "`bpftool net show dev eth1`"),
        ({"cgroup_programs": json.dumps(CGROUP)}, "", {"in"}, "`bpftool cgroup show /sys/fs/cgroup`"),
        ({"net_programs": '[{"netfilter": [{"prog_id": 9}]}]'}, "", {"in", "out"}, "`bpftool net show`"),
    ],
)
def test_each_kind_is_named_with_the_command_that_shows_it(
    parts: dict[str, str], device: str, ways: set[str], command: str
) -> None:
    (program,) = told(**parts).programs
    assert (program.device, set(program.ways), command in program.words) == (device, ways, True)


@pytest.mark.parametrize("name", ["device-links", "tc-queues"])
def test_a_tool_that_failed_is_not_a_host_without_any(name: str) -> None:
    (program,) = devices.read(NOTHING | {f"end of {name}": "2\n"}).programs
    assert "nobody could list" in program.words


def test_without_tc_there_may_be_filters_only_where_their_module_is_loaded() -> None:
    missing = {"end of tc-queues": "missing\n"}
    assert devices.read(NOTHING | missing).programs == ()
    (program,) = devices.read(NOTHING | missing | {"devices": "eth0 device\nsch_ingress module\n"}).programs
    assert "no tc is there" in program.words


def test_what_lies_below_a_device_is_known() -> None:
    seen = told(devices="eth0 device\nbond0 device eth0 eth1\nbond0.5 device bond0\nbr0 bridge bond0.5\n")
    assert seen.lower == {"bond0": ("eth0", "eth1"), "bond0.5": ("bond0",), "br0": ("bond0.5",)}
    assert seen.bridges == frozenset({"br0"})


def test_where_no_device_is_shown_any_may_be_a_bridge() -> None:
    assert told(devices="").bridges is None
    assert told(devices="").bridged("eth0")
    assert not told().bridged("eth0")


def test_an_answer_that_lacks_a_section_is_no_host_without_any() -> None:
    for name in NOTHING.keys() - {"tc-queues"}:
        with pytest.raises(KeyError):
            devices.read({other: body for other, body in NOTHING.items() if other != name})


def _printed(folder: Path, **programs: str) -> Devices:
    """Run the real script where only these programs are found."""
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    (folder / "sed").symlink_to("/usr/bin/sed" if Path("/usr/bin/sed").exists() else "/bin/sed")
    script = f"PATH={folder}\n{shell_text(devices.SCRIPT)}\nmf_mark=M\nmf_devices\n"
    done = subprocess.run(("/bin/sh", "-s"), input=script.encode(), capture_output=True, timeout=30, check=True)
    return devices.read(sections("M", done.stdout.decode()))


def test_the_script_asks_the_filters_of_each_device_that_has_a_queue_for_them(tmp_path: Path) -> None:
    filters = 'echo "filter protocol all pref 1 bpf chain 0 on $4 $5"'
    tc = f'case "$1" in qdisc) printf "%s" "{QUEUES}" ;; filter) {filters} ;; esac'
    seen = _printed(tmp_path, ip=f"echo '{json.dumps([XDP])}'", tc=tc)
    assert [(program.device, *program.ways) for program in seen.programs] == [
        ("eth0", "in"),
        ("eth0", "in"),
        ("eth0", "out"),
    ]
    assert {word.split()[0] for word in words(seen)} == {"xdp", "tc"}


@pytest.mark.machine
def test_a_real_filter_is_seen(real_machine: None) -> None:
    made = (
        "ip link set lo up && tc qdisc add dev lo clsact && "
        "tc filter add dev lo ingress protocol ip prio 2 bpf bytecode '1,6 0 0 4294967295,' || exit 7"
    )
    script = f"{made}\n{shell_text(devices.SCRIPT)}\nmf_mark=M\nmf_devices\n"
    argv = ("unshare", "-n", "sh", "-s")
    done = subprocess.run(argv, input=script.encode(), capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert words(devices.read(sections("M", done.stdout.decode()))) == [
        "tc at lo ingress (`tc filter show dev lo ingress`)"
    ]
