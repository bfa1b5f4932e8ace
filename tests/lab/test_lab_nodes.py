"""Servers that can run containers and Kubernetes, and cannot change the machine they run on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lab import cgroups, kernelconfig, leftovers, network, node
from lab.instance import Instance
from tests.lab.driver import Lab

# What a pod leaves in every corner of a host: control groups, namespaces with a name, devices, mounts, files.
_POD = """
set -e
for controller in memory pids cpu; do mkdir -p /sys/fs/cgroup/$controller/kubepods/pod1; done
ip netns add cni-1
ip link add cni0 type bridge
ip link add veth1 type veth peer name eth0 netns cni-1
ip link set veth1 master cni0 up
ip link add flannel.1 type vxlan id 1 dev eth0 dstport 8472
cd /var/lib/containerd
mkdir lower upper work root
echo of-the-image > lower/file
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work root
echo of-the-container > root/file
mkdir -p /var/lib/kubelet/pods/1
mount -t tmpfs tmpfs /var/lib/kubelet/pods/1
echo kept > /var/lib/etcd/member
for controller in memory pids cpu; do echo 0 > /sys/fs/cgroup/$controller/kubepods/pod1/cgroup.procs; done
exec nsenter --net=/run/netns/cni-1 unshare --mount --pid --fork sleep 1000
"""


def _in(host: str, lab: Lab, script: str) -> subprocess.CompletedProcess[str]:
    return lab.shell(host, ("sh", "-c", script))


def _start_pod(lab: Lab, host: str) -> frozenset[int]:
    """Start the pod as a service of the host's and return its processes, as the machine numbers them."""
    unit = ("systemd-run", "--quiet", "--unit=pod", "--property=Delegate=yes", "--property=Type=exec")
    assert lab.shell(host, (*unit, "sh", "-c", _POD)).returncode == 0
    group = f"{Instance(lab.name).namespace(host)}/kubepods"
    waiting = "until grep -qs . /sys/fs/cgroup/pids/kubepods/pod1/cgroup.procs; do sleep 0.05; done; ip link show cni0"
    done = _in(host, lab, f"timeout 10 sh -c '{waiting}'")
    assert done.returncode == 0, lab.shell(host, ("journalctl", "-u", "pod", "--no-pager")).stdout
    pids = cgroups.processes(group)
    assert pids
    return pids


def _left_of(lab: Lab, host: str) -> list[str]:
    instance = Instance(lab.name)
    name = instance.namespace(host)
    mounts = [
        line for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines() if f"/hosts/{host}/" in line
    ]
    return [
        *(["control group"] if cgroups.exists(name) else []),
        *(["namespace"] if network.exists(name) else []),
        *(mounts if str(instance.home) in "".join(mounts) else []),
    ]


@pytest.mark.parametrize("host", ["cp-1", "li-1"])
def test_every_unit_of_a_server_started(lab: Lab, host: str) -> None:
    failed = lab.shell(host, ("systemctl", "--failed", "--no-legend", "--plain"))
    assert failed.stdout == ""
    assert lab.shell(host, ("systemctl", "is-active", "lab-early")).stdout == "active\n"


def test_a_server_makes_control_groups_of_its_own(lab: Lab) -> None:
    if cgroups.version_2():
        pytest.skip("this machine has one hierarchy, which hosts may always write")
    for controller in ("cpu", "cpuset", "memory", "pids", "devices", "systemd"):
        created = _in("cp-2", lab, f"mkdir /sys/fs/cgroup/{controller}/mine && rmdir /sys/fs/cgroup/{controller}/mine")
        assert created.returncode == 0, created.stderr


def test_control_planes_come_first_where_the_processor_is_short(lab: Lab) -> None:
    shares = {
        host: [
            int((top / Instance(lab.name).namespace(host) / setting).read_text())
            for top in cgroups.hierarchies()
            for setting in ("cpu.shares", "cpu.weight")
            if (top / Instance(lab.name).namespace(host) / setting).exists()
        ]
        for host in ("cp-1", "w-1")
    }
    assert shares["w-1"]
    assert shares["cp-1"] == [8 * share for share in shares["w-1"]]


def test_containers_overlays_can_lie_on_a_servers_disk(lab: Lab) -> None:
    mount = "mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w r"
    script = f"cd /var/lib/containerd && mkdir l u w r && {mount} && echo x > r/x && umount r && rm -r l u w r"
    done = _in("cp-2", lab, script)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("vm.overcommit_memory", "1"),
        ("kernel.panic", "11"),
        ("fs.inotify.max_user_instances", "1024"),
        ("fs.inotify.max_user_watches", "7"),
        ("net.netfilter.nf_conntrack_max", "131072"),
    ],
)
def test_a_servers_settings_are_its_own(lab: Lab, setting: str, value: str) -> None:
    file = Path("/proc/sys") / setting.replace(".", "/")
    machine, other = file.read_text(), lab.shell("cp-1", ("sysctl", "-n", setting)).stdout
    assert _in("cp-2", lab, f"sysctl -q -w {setting}={value}").returncode == 0
    assert lab.shell("cp-2", ("sysctl", "-n", setting)).stdout == f"{value}\n"
    assert file.read_text() == machine
    assert lab.shell("cp-1", ("sysctl", "-n", setting)).stdout == other


def test_settings_of_a_file_hold_after_a_restart_of_systemd_sysctl(lab: Lab) -> None:
    values = {"fs.inotify.max_user_watches": "9", "kernel.panic": "12", "net.ipv4.ip_local_reserved_ports": "8443"}
    text = "\\n".join(f"{name}={value}" for name, value in values.items())
    script = f"mkdir -p /run/sysctl.d; printf '{text}\\n' > /run/sysctl.d/90-x.conf; systemctl restart systemd-sysctl"
    assert _in("w-1", lab, script).returncode == 0
    for name, value in values.items():
        assert lab.shell("w-1", ("sysctl", "-n", name)).stdout == f"{value}\n"


def test_a_setting_nobody_gave_a_server_cannot_be_changed(lab: Lab) -> None:
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    assert _in("cp-2", lab, "echo x > /proc/sys/kernel/core_pattern").returncode != 0
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


@pytest.mark.parametrize("service", [False, True])
@pytest.mark.parametrize(
    "command",
    [
        # Were one of these let through, the machine would hardly differ.
        "date --set=@$(date +%s)",
        "dd if=/dev/zero of=/var/lib/kubelet/swap bs=1M count=1 2>/dev/null && chmod 600 /var/lib/kubelet/swap"
        " && mkswap -q /var/lib/kubelet/swap && swapon /var/lib/kubelet/swap",
        "swapoff /dev/null",
    ],
)
def test_no_server_changes_the_machines_clock_or_swap(lab: Lab, command: str, service: bool) -> None:
    swaps = Path("/proc/swaps").read_text()
    unit = "systemd-run --quiet --wait --pipe --collect " if service else ""
    done = lab.command("shell", "cp-2", "--", "sh", "-c", f"export LC_ALL=C; {unit}sh -c '{command}'")
    assert done.returncode != 0
    assert any(words in done.stderr.lower() for words in ("not permitted", "not superuser")), done.stderr
    assert Path("/proc/swaps").read_text() == swaps


def test_what_the_kernel_has_built_in_can_be_asked_for_and_the_rest_not(lab: Lab) -> None:
    built_in = [Path(line).stem for line in kernelconfig.built_in().splitlines()]
    if not built_in:
        pytest.skip("this machine's kernel does not tell how it was built")
    assert lab.shell("cp-2", ("modprobe", "--all", *built_in)).returncode == 0
    assert lab.shell("cp-2", ("modprobe", "no_such_module")).returncode != 0
    wish = (
        "mkdir -p /run/modules-load.d; echo overlay > /run/modules-load.d/x.conf; systemctl restart "
        "systemd-modules-load"
    )
    assert _in("cp-2", lab, wish).returncode == 0


def test_the_kernels_log_can_be_read_and_does_not_fill_the_journal(lab: Lab) -> None:
    assert _in("cp-2", lab, "test -c /dev/kmsg && dd if=/dev/kmsg of=/dev/null bs=8192 count=1").returncode == 0
    assert "-- No entries --" in lab.shell("cp-2", ("journalctl", "--dmesg", "--no-pager")).stdout


def test_the_organisations_hosts_have_no_such_powers(lab: Lab) -> None:
    for host in ("router-1", "vantage-1"):
        assert lab.shell(host, ("test", "-e", "/dev/kmsg")).returncode == 1
        assert lab.shell(host, ("systemctl", "is-active", "lab-early")).stdout == "inactive\n"


def test_every_server_is_another(lab: Lab) -> None:
    hosts = ("cp-1", "cp-2", "w-1")
    for what in ("cat /etc/machine-id", "cat /usr/lib/lab/product_uuid", "cat /sys/class/net/eth0/address"):
        assert len({_in(host, lab, what).stdout for host in hosts}) == len(hosts)


def test_a_bare_server_can_run_containers_too(bare_lab: Lab) -> None:
    assert bare_lab.shell("db-1", ("systemctl", "is-active", "lab-early")).stdout == "active\n"
    assert bare_lab.shell("db-1", ("modprobe", "overlay")).returncode == 0
    assert _in("db-1", bare_lab, "findmnt -n -o FSTYPE /var/lib/containerd").stdout.strip() != "overlay"


def test_power_off_ends_pods_and_keeps_what_they_wrote(own_lab: Lab) -> None:
    pids = _start_pod(own_lab, "cp-1")
    own_lab.do("poweroff", "cp-1")
    assert _left_of(own_lab, "cp-1") == []
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    own_lab.do("poweron", "cp-1")
    assert own_lab.shell("cp-1", ("cat", "/var/lib/containerd/upper/file")).stdout == "of-the-container\n"
    assert own_lab.shell("cp-1", ("cat", "/var/lib/etcd/member")).stdout == "kept\n"
    assert own_lab.shell("cp-1", ("ls", "/var/lib/kubelet/pods/1")).stdout == ""
    links = own_lab.shell("cp-1", ("ls", "/sys/class/net")).stdout.split()
    assert links == ["eth0", "lo"]


def test_a_server_reboots_with_pods_on_it(own_lab: Lab) -> None:
    pids = _start_pod(own_lab, "w-1")
    own_lab.do("reboot", "w-1")
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not cgroups.processes(f"{Instance(own_lab.name).namespace('w-1')}/kubepods")
    assert own_lab.shell("w-1", ("cat", "/var/lib/etcd/member")).stdout == "kept\n"


def test_down_leaves_nothing_of_pods_even_after_the_hosts_were_lost(own_lab: Lab) -> None:
    pids = _start_pod(own_lab, "cp-1") | _start_pod(own_lab, "w-1")
    lab = Instance(own_lab.name)
    (lab.home / "lab.json").unlink()
    own_lab.do("down")
    assert list(leftovers.describe(lab)) == []
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not lab.hosts.exists()


_ATTEMPTS = """
import ctypes, os, sys
sys.path.insert(0, sys.argv[1])
from lab import seccomp
seccomp.forbid()
libc = ctypes.CDLL(None, use_errno=True)
for name in ("swapon", "swapoff"):
    libc[name](b"/nowhere", 0)
    print(ctypes.get_errno())
os.stat("/")
"""


@pytest.mark.machine
def test_the_filter_refuses_swap_and_lets_the_rest_through() -> None:
    checkout = str(Path(node.__file__).parents[1])
    done = subprocess.run((sys.executable, "-c", _ATTEMPTS, checkout), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(1), str(1)]


def test_a_kernels_configuration_says_what_is_built_in() -> None:
    text = kernelconfig.listing(["CONFIG_OVERLAY_FS=y", "CONFIG_VXLAN=m", "# CONFIG_IP_VS is not set", "CONFIG_VETH=y"])
    assert text == "kernel/fs/overlayfs/overlay.ko\nkernel/drivers/net/veth.ko\n"
