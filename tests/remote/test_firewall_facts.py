"""What a host says of its firewall is read whole, or not at all."""

from __future__ import annotations

import subprocess
from ipaddress import ip_address
from pathlib import Path
from shutil import which

import pytest

from model.checkout import HOST_SCRIPTS
from model.errors import ProtocolError
from model.packets.sockets import parse_addresses, parse_listeners, parse_peer
from remote.facts.firewall import parse, text
from remote.facts.sections import new_mark
from tests.model.ufw.ufw_data import file, saved
from tests.tasks.scripted import LISTENERS

_SECTIONS = {
    "ufw": "0.36.2-1\ninstalled\n",
    "file /etc/ufw/user.rules": file("user", 4),
    "file /etc/os-release": 'ID=debian\nVERSION_CODENAME="bookworm"\n',
    "iptables-save": saved(4),
    "end of iptables-save": "0\n",
    "ip6tables-save": saved(6),
    "end of ip6tables-save": "0\n",
    "iptables-legacy-save": "",
    "end of iptables-legacy-save": "0\n",
    "ip6tables-legacy-save": "",
    "end of ip6tables-legacy-save": "0\n",
    "nft": "",
    "end of nft": "missing\n",
    "listeners": LISTENERS,
    "end of listeners": "0\n",
    "addresses": '[{"ifname":"eth0","addr_info":[{"local":"10.20.1.31"},{"local":"fd20:1::31"}]},{"ifname":"x"}]',
    "devices": "eth0 device\n",
    "device-links": '[{"ifname":"eth0","xdp":{"mode":1,"prog":{"id":12}}}]',
    "end of device-links": "0\n",
    "tc-queues": "",
    "end of tc-queues": "0\n",
    "tc-filters": "",
    "net-programs": "",
    "end of net-programs": "missing\n",
    "cgroup-programs": "",
    "end of cgroup-programs": "missing\n",
    "conntrack": "262144\n17\n",
    "python3": "/usr/bin/python3.11\n",
    "unit": "enabled\n",
    "ipv6": "yes\n",
    "unconfirmed": "",
    "lock": "somebody, since noon\n",
    "connection": "SSH_CONNECTION=::ffff:10.20.0.10 51234 10.20.1.31 2222\n",
    "end": "",
}


def _answer(mark: str, **changes: str | None) -> bytes:
    sections = {**_SECTIONS, **changes}
    return "".join(f"\n{mark} {name}\n{body}" for name, body in sections.items() if body is not None).encode()


def test_every_section_arrives_byte_for_byte() -> None:
    facts = parse("db-1", "mark", _answer("mark"))
    assert facts.files == {"/etc/ufw/user.rules": file("user", 4)}
    assert (facts.iptables_save, facts.ip6tables_save) == (saved(4), saved(6))
    assert (facts.installed, facts.version, facts.unit_enabled, facts.ipv6) == (True, "0.36.2-1", True, True)
    assert facts.conntrack == (262144, 17)
    assert facts.os_release["VERSION_CODENAME"] == "bookworm"
    assert facts.holder == "somebody, since noon"
    assert facts.addresses == (("eth0", ip_address("10.20.1.31")), ("eth0", ip_address("fd20:1::31")))
    assert facts.peer is not None
    assert (str(facts.peer.client), facts.peer.server_port) == ("10.20.0.10", 2222)
    assert facts.sshd_ports == (22, 2222)
    assert [program.device for program in facts.rulesets.devices.programs] == ["eth0"]


@pytest.mark.parametrize("missing", ["end", "iptables-save", "listeners", "devices", "tc-filters", "device-links"])
def test_an_answer_cut_short_is_an_error(missing: str) -> None:
    with pytest.raises(ProtocolError):
        parse("db-1", "mark", _answer("mark", **{missing: None}))


@pytest.mark.parametrize("name", ["iptables-save", "ip6tables-save", "iptables-legacy-save", "nft", "listeners"])
@pytest.mark.parametrize("code", ["1\n", "139\n", None])
def test_a_program_that_failed_is_not_a_host_without_rules(name: str, code: str | None) -> None:
    with pytest.raises(ProtocolError, match="failed there"):
        parse("db-1", "mark", _answer("mark", **{name: "", f"end of {name}": code}))


def test_a_kernel_without_ipv6_has_no_ipv6_rules_to_fail_at() -> None:
    changes = {"ip6tables-save": "", "end of ip6tables-save": "1\n", "ipv6": ""}
    assert parse("db-1", "mark", _answer("mark", **changes)).ip6tables_save == ""


def _run_with(programs: Path, **scripts: str) -> bytes:
    """Run the real script where only some programs are found: those that it needs, and given ones."""
    for name in ("cat", "grep", "sed", "tr", "readlink", "flock"):
        (programs / name).symlink_to(which(name) or pytest.fail(f"no {name}"))
    for name, body in scripts.items():
        (programs / name.replace("_", "-")).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name.replace("_", "-")).chmod(0o755)
    script = f"PATH={programs}\n{text()}\nmf_facts mark\n"
    return subprocess.run(("/bin/sh", "-s"), input=script.encode(), capture_output=True, timeout=30, check=False).stdout


def test_a_failing_program_on_a_host_raises_and_a_missing_one_does_not(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    bare = parse("db-1", "mark", _run_with(tmp_path / "bare"))
    assert (bare.iptables_save, bare.listeners) == ("", ())
    for name in ("iptables_save", "ip6tables_save", "nft", "ss"):
        (tmp_path / name).mkdir()
        with pytest.raises(ProtocolError, match=f"{name.replace('_', '-')}.* failed there .exit code 4"):
            parse("db-1", "mark", _run_with(tmp_path / name, **{name: "echo half; exit 4"}))


def test_a_host_without_ufw_python_and_tracking_is_understood() -> None:
    bare = {
        "ufw": "",
        "file /etc/ufw/user.rules": None,
        "python3": "",
        "conntrack": "",
        "connection": "",
        "addresses": "",
    }
    facts = parse("db-1", "mark", _answer("mark", **bare))
    assert (facts.installed, facts.files, facts.python3, facts.conntrack, facts.peer) == (False, {}, "", (0, 0), None)


def test_listeners_keep_address_interface_and_every_owner() -> None:
    sshd, dns, shared, kernel = parse_listeners(LISTENERS)
    assert (sshd.protocol, sshd.port, sshd.process, sshd.pid) == ("tcp", 22, "sshd", 30)
    assert (str(dns.address), dns.interface, dns.process, dns.pid) == ("127.0.0.53", "lo", "", 0)
    assert (shared.processes, shared.pids) == (("sshd", "systemd"), (30, 1))
    assert str(kernel.address) == "::"


@pytest.mark.parametrize("line", ["nonsense", "tcp LISTEN 0 128 0.0.0.0:ssh 0.0.0.0:*"])
def test_a_line_ss_would_not_print_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match=r"ss|invalid"):
        parse_listeners(line)


def test_no_ip_command_means_no_addresses_and_no_sshd_means_no_peer() -> None:
    assert parse_addresses("") == ()
    assert parse_peer("") is None


SCRIPTS = ("firewall-facts.sh", "host-facts.sh", "node-remains.sh")


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_script_asks_proc_for_the_size_of_a_file(script: str) -> None:
    assert "[ -s /proc" not in (HOST_SCRIPTS / script).read_text("utf-8")


@pytest.mark.machine
def test_rules_of_the_older_iptables_are_read(real_machine: None) -> None:
    mark = new_mark()
    rule = "iptables-legacy -t raw -A PREROUTING -p tcp --dport 31000 -j DROP"
    script = f"{rule} || exit 7\n{text()}\nmf_facts {mark}\n"
    argv = ("unshare", "-n", "sh", "-s")
    done = subprocess.run(argv, input=script.encode(), capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    legacy = parse("here", mark, done.stdout).rulesets.legacy
    assert "--dport 31000 -j DROP" in legacy[4]
    assert legacy[6] == ""


@pytest.mark.machine
def test_the_script_runs_in_a_plain_posix_shell_and_its_answer_is_understood() -> None:
    mark = new_mark()
    script = f"{text()}\nmf_facts {mark}\n"
    done = subprocess.run(("sh", "-s"), input=script.encode(), capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert parse("here", mark, done.stdout).peer is None or "SSH_CONNECTION" in done.stdout.decode()
