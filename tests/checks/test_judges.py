"""Every judge goes red for what it is for and for nothing else, and real hosts as they should be have no finding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from checks.check import ComplianceView, DeclaredFiles, HostCheck
from checks.discovery import every
from model.check.check import run
from model.check.finding import Verdict
from model.host.certificate_chain import read_chain
from model.site.hosts import Disk
from model.site.settings import Compliance
from tests.checks.certificates import issued
from tests.checks.golden import NOW, bad, pending, proof, site, verdicts, view

Sections = dict[str, Any]
# Hosts of a lab know no security archive.
LAB = {(name, "updates/archive") for name in ("cp-1", "cp-2", "cp-3", "w-1", "db-1", "li-1")}


def put(*place: str | int, to: Any) -> Callable[[Sections], None]:
    """Return a change that puts a value at a place."""

    def change(sections: Sections) -> None:
        whole: Any = sections
        for word in place[:-1]:
            whole = whole[word]
        whole[place[-1]] = to

    return change


def text(section: str, old: str, new: str, *keys: str) -> Callable[[Sections], None]:
    """Return a change that replaces text of a section, or of one of its keys."""

    def change(sections: Sections) -> None:
        whole: Any = sections
        path = [section, *keys]
        for word in path[:-1]:
            whole = whole[word]
        assert old in whole[path[-1]], f"{old} is not in {section}"
        whole[path[-1]] = whole[path[-1]].replace(old, new, 1)

    return change


def both(*changes: Callable[[Sections], None]) -> Callable[[Sections], None]:
    """Return all changes as one."""

    def change(sections: Sections) -> None:
        for entry in changes:
            entry(sections)

    return change


def wire_answer(name: str, address: str, kind: int = 1) -> str:
    """Return a name server's packet, as hexadecimal digits."""
    import struct

    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    question = labels + b"\0" + struct.pack("!2H", kind, 1)
    record = b"\xc0\x0c" + struct.pack("!2HIH", kind, 1, 60, 4) + ip_address(address).packed
    return (struct.pack("!6H", 9, 0x8180, 1, 1, 0, 0) + question + record).hex()


def answered(server: str, name: str, address: str) -> Callable[[Sections], None]:
    """Return a change by which a name server leads a name elsewhere."""

    def change(sections: Sections) -> None:
        kept = [packet for packet in sections["names"]["answers"][server] if _asked(name) not in packet]
        sections["names"]["answers"][server] = [*kept, wire_answer(name, address)]

    return change


def unheard(server: str, name: str) -> Callable[[Sections], None]:
    """Return a change by which a name server says nothing of a name."""

    def change(sections: Sections) -> None:
        packets = sections["names"]["answers"][server]
        sections["names"]["answers"][server] = [packet for packet in packets if _asked(name) not in packet]

    return change


def _asked(name: str) -> str:
    return "".join(f"{len(label):02x}{label.encode().hex()}" for label in name.split(".")) + "00"


def slow_links(sections: Sections) -> None:
    """Make every link one of 100 Mbit/s."""
    for link in sections["hardware"]["links"]:
        link[3] = 100


@dataclass(frozen=True)
class Case:
    """A change of a host's document, the check that finds it there, and a word of what it says."""

    check: str
    host: str
    change: Callable[[Sections], None]
    says: str


CASES = (
    Case(
        "os/release",
        "w-1",
        text("release", "VERSION_CODENAME=bookworm", "VERSION_CODENAME=buster", "os_release"),
        "known are Debian",
    ),
    Case(
        "os/release",
        "w-1",
        text("release", "VERSION_CODENAME=bookworm", "VERSION_CODENAME=bullseye", "os_release"),
        "no security updates since",
    ),
    Case("kernel/settings", "w-1", put("sysctl", "net.ipv4.ip_forward", to="0"), "net.ipv4.ip_forward is 0"),
    Case("kernel/settings", "w-1", put("sysctl", "kernel.panic", to=None), "kernel.panic is not there"),
    Case("kernel/modules", "w-1", put("modules", to=["overlay"]), "br_netfilter"),
    Case("kernel/at-boot", "w-1", put("at_boot", "sysctl", to=[]), "no file sets net.ipv4.ip_forward to 1"),
    Case(
        "kernel/at-boot",
        "cp-1",
        lambda sections: sections["at_boot"]["sysctl"].append(["/etc/sysctl.d/99-z.conf", "net/ipv4/ip_forward=0"]),
        "net.ipv4.ip_forward will be 0 by /etc/sysctl.d/99-z.conf",
    ),
    Case(
        "kernel/at-boot",
        "w-1",
        both(put("at_boot", "modules", to=[]), put("at_boot", "builtin", to=["overlay"])),
        "br_netfilter",
    ),
    Case("kernel/version", "w-1", put("release", "kernel", to="4.9.0-1-amd64"), "needs Linux"),
    Case("kernel/reboot", "db-1", put("boot", "kernels", to=["6.1.0-9-amd64", "99.1.0-1-amd64"]), "99.1.0-1-amd64"),
    Case(
        "kernel/reboot", "db-1", both(put("boot", "required", to=True), put("boot", "packages", to=["libc6"])), "libc6"
    ),
    Case("packages/installed", "li-1", text("packages", "ii |socat|", "rc |socat|"), "missing: socat"),
    Case("packages/installed", "li-1", text("packages", "ii |sudo|", "iF |sudo|"), "half installed: sudo"),
    Case("packages/holds", "li-1", text("packages", "ii |sudo|", "hi |sudo|"), "nobody says why: sudo"),
    Case(
        "packages/holds",
        "w-1",
        lambda sections: sections.update(packages=sections["packages"] + "ii |kubelet|1.36.0\n"),
        "kubelet is not held",
    ),
    Case(
        "updates/security",
        "cp-1",
        both(
            put("updates", "lists", to=["x"]),
            put("updates", "age_seconds", to=60),
            put("updates", "offered", to={"sudo": ["99:1"]}),
        ),
        "sudo",
    ),
    Case(
        "updates/archive",
        "cp-1",
        both(put("updates", "lists", to=["x"]), put("updates", "age_seconds", to=9 * 86400)),
        "9 days ago",
    ),
    Case(
        "services/running", "cp-1", text("units", "ActiveState=active", "ActiveState=failed", "known"), "does not run"
    ),
    Case(
        "services/running",
        "cp-1",
        text("units", "UnitFileState=enabled", "UnitFileState=disabled", "known"),
        "would not start at boot",
    ),
    Case("services/failed", "cp-1", put("units", "failed", to=["x.service"]), "x.service failed"),
    Case(
        "services/listeners",
        "cp-3",
        lambda sections: sections.update(
            listeners=sections["listeners"] + 'tcp LISTEN 0 9 0.0.0.0:9999 0.0.0.0:* users:(("nc",pid=9,fd=3))\n'
        ),
        "nc listens on 9999/tcp",
    ),
    Case(
        "services/listeners",
        "cp-3",
        lambda sections: sections.update(
            listeners=sections["listeners"] + 'tcp LISTEN 0 9 *:10250 *:* users:(("nc",pid=9,fd=3))\n'
        ),
        "which is for kubelet",
    ),
    Case("time/synchronised", "db-1", text("clock", "Normal", "Not synchronised", "tracking"), "follows none"),
    Case(
        "time/synchronised",
        "db-1",
        both(put("clock", "tracking", to=None), put("clock", "why", to="506 Cannot talk to daemon")),
        "506",
    ),
    Case("time/synchronised", "db-1", put("clock", "sources", to="^,*,192.0.2.9,1,6,377,1,0,0,0\n"), "192.0.2.9"),
    Case(
        "time/synchronised",
        "db-1",
        lambda sections: sections["clock"].update(now=sections["clock"]["now"] + 9000),
        "minutes ago",
    ),
    Case(
        "disks/space",
        "w-1",
        lambda sections: sections["disks"]["filesystems"].append(["/srv", "ext4", "/dev/b", 1000, 1, 999, 10, 5]),
        "/srv has",
    ),
    Case(
        "disks/space",
        "w-1",
        lambda sections: sections["disks"]["filesystems"].append(["/srv", "ext4", "/dev/b", 1000, 900, 100, 1000, 5]),
        "inodes",
    ),
    Case("hardware/size", "w-1", put("hardware", "cpus", to=0), "has 0 CPU"),
    Case("hardware/size", "w-1", put("hardware", "memory_kib", to=2**18), "0.2 GiB of memory"),
    Case(
        "hardware/links",
        "w-1",
        slow_links,
        "100 Mbit/s",
    ),
    Case("hardware/links", "w-1", put("hardware", "addresses", to="[]"), "does not have 10.20.1.21"),
    Case("swap/off", "cp-1", put("swaps", "active", to=["/dev/sda2 partition 1048576 0 -2"]), "/dev/sda2 (1.0 GiB)"),
    Case("swap/off", "cp-1", put("swaps", "configured", to=["/dev/sda2"]), "next boot"),
    Case(
        "users/sudo",
        "w-1",
        both(
            lambda sections: sections["users"]["accounts"].append(["eve", 1009, 27, "/bin/sh"]),
            lambda sections: sections["users"]["groups"].append(["sudo", 27, []]),
        ),
        "eve may become root",
    ),
    Case(
        "users/sudo",
        "w-1",
        lambda sections: sections["users"]["accounts"].append(["mallory", 0, 0, "/bin/sh"]),
        "number 0",
    ),
    Case(
        "ssh/settings",
        "db-1",
        text("sshd", "passwordauthentication no", "passwordauthentication yes", "nobody"),
        "for nobody: passwordauthentication is yes",
    ),
    Case(
        "ssh/settings",
        "db-1",
        text("sshd", "permitrootlogin without-password", "permitrootlogin yes", "root"),
        "for root: permitrootlogin is yes",
    ),
    Case("firewall/rules", "w-1", lambda sections: sections["ufw"].update(enabled=False), "disabled"),
    Case("firewall/rules", "w-1", put("ufw", "installed", to=False), "not installed"),
    Case(
        "firewall/kernel",
        "db-1",
        lambda sections: sections["rules"]["saved"].update(
            {
                "4": sections["rules"]["saved"]["4"].replace(
                    "-A ufw-user-input", "-A ufw-user-input -p tcp -m tcp --dport 23 -j ACCEPT\n-A ufw-user-input", 1
                )
            }
        ),
        "--dport 23",
    ),
    Case(
        "firewall/foreign",
        "li-1",
        lambda sections: sections["rules"]["saved"].update(
            {
                "4": sections["rules"]["saved"]["4"].replace(
                    "-A INPUT", "-A INPUT -p tcp -m tcp --dport 5555 -j ACCEPT\n-A INPUT", 1
                )
            }
        ),
        "5555",
    ),
    Case("dns/main", "cp-1", answered("10.20.1.1", "chat.example.test", "198.51.100.9"), "198.51.100.9"),
    Case(
        "dns/main",
        "cp-1",
        both(put("names", "answers", "10.20.1.1", to=[]), put("names", "why", to={"10.20.1.1": "timed out"})),
        "does not answer",
    ),
    Case(
        "dns/main", "cp-1", unheard("10.20.1.1", "chat.example.test"), "10.20.1.1 gives no answer for chat.example.test"
    ),
    Case("dns/li", "li-1", answered("10.20.2.1", "keyvault.example.test", "10.20.2.99"), "10.20.2.99"),
    Case("dns/li-only", "cp-1", answered("10.20.1.1", "keyvault.example.test", "10.20.2.11"), "keyvault"),
    Case("dns/public", "vantage-1", answered("198.51.100.1", "matrix.example.test", "198.51.100.9"), "198.51.100.9"),
    Case("dns/li-only", "vantage-1", answered("198.51.100.1", "admin-li.example.test", "10.20.2.11"), "admin-li"),
    Case(
        "certificates/served",
        "w-1",
        put("served", to=[[443, "::1", "chat.example.test", [issued(("chat.example.test",), -1, NOW)[0]], ""]]),
        "expired on",
    ),
    Case(
        "certificates/served",
        "w-1",
        put("served", to=[[443, "::1", "chat.example.test", [issued(("other.example.test",), 300, NOW)[0]], ""]]),
        "does not name",
    ),
    Case(
        "certificates/served",
        "w-1",
        put("served", to=[[443, "::1", "", [], "ConnectionResetError"]]),
        "does not speak TLS",
    ),
    Case(
        "certificates/kubernetes",
        "cp-1",
        put("certificates", to={"/etc/kubernetes/pki/apiserver.crt": [issued(("x.test",), 5, NOW)[0]]}),
        "expires in 5 days",
    ),
)
# A server that does not answer says nothing of LI's names either.
CONSEQUENCES = {("dns/main", "does not answer"): {("cp-1", "dns/li-only")}}


def test_real_hosts_as_they_should_be_have_no_finding() -> None:
    assert bad(view()).keys() == LAB
    cluster = {check.id for check in every() if check.id.startswith("cluster/")}
    assert {check for _, check in pending(view())} == cluster | {
        "certificates/kubernetes",
        "certificates/served",
        "certificates/site",
        "ports/pods",
        "schedule/files",
        "updates/security",
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.check}-{case.says[:20]}")
def test_a_change_is_found_by_exactly_its_check(case: Case) -> None:
    wrong = bad(view({case.host: case.change}))
    allowed = CONSEQUENCES.get((case.check, case.says), set())
    assert case.says in wrong[case.host, case.check]
    assert wrong.keys() - LAB - {(case.host, case.check)} <= allowed | (
        {(case.host, "updates/archive")} if case.check.startswith("updates") else set()
    )


def test_every_check_of_hosts_goes_red_somewhere() -> None:
    # That a host could be looked at is known before any check is judged; no lab declares disks, and nothing of it runs
    # on schedule.
    others = {"access/root", "disks/declared", "schedule/files"}
    known = {check.id for check in every() if isinstance(check, HostCheck) and not check.id.startswith("cluster/")}
    assert known == {case.check for case in CASES} | others


@pytest.mark.parametrize(
    "section", ["sysctl", "units", "rules", "ufw", "users", "sshd", "disks", "swaps", "names", "packages"]
)
def test_a_section_that_is_missing_makes_its_checks_unproven_and_no_other(section: str) -> None:
    wrong = bad(view({"cp-1": lambda sections: sections.pop(section)}))
    new = wrong.keys() - LAB
    assert new
    assert {host for host, _ in new} == {"cp-1"}
    assert all("section" in wrong[place] for place in new)
    assert len(new) <= 3


def test_a_disk_that_is_declared_and_not_there_is_found() -> None:
    disk = Disk(id="scsi-1", gib=100, purpose="database")

    def judged(entries: list[Any]) -> str:
        seen = view({"db-1": lambda sections: sections["disks"].update(disks=entries[0], ids=entries[1])})
        machine = seen.site.by_name["db-1"]
        wanted = replace(machine, data=machine.data.model_copy(update={"disks": (disk,)}))
        (check,) = [check for check in every() if check.id == "disks/declared"]
        assert isinstance(check, HostCheck)
        return "; ".join(finding.message for finding in run(check, seen, wanted, seen.facts["db-1"]).findings)

    assert "has no disk scsi-1" in judged([[], []])
    assert "10 GiB" in judged([[["sdb", 10 * 2**30, False]], [["scsi-1", "sdb"]]])
    assert judged([[["sdb", 100 * 2**30, False]], [["scsi-1", "sdb"]]]) == ""


def test_ports_go_by_the_latest_proof_and_its_age() -> None:
    four = {("controller", name) for name in ("perimeter/rows", "li/isolation", "ports/hosts")}
    assert bad(view(proof=None)).keys() - LAB == four | {("controller", "ports/pods")}
    assert "7 days ago" in bad(view(proof=proof(hours=169)))["controller", "ports/hosts"]
    # Packets from outside to LI cross its border as well.
    outside = {("controller", "perimeter/rows"), ("controller", "li/isolation")}
    assert bad(view(proof=proof(external="violation"))).keys() - LAB == outside
    assert bad(view(proof=proof(host="violation"))).keys() - LAB == {
        ("controller", "li/isolation"),
        ("controller", "ports/hosts"),
    }
    whole = proof()
    fewer = replace(whole, cells=tuple(cell for cell in whole.cells if "li-1" not in (cell.source, cell.destination)))
    wrong = bad(view(proof=fewer))
    assert wrong.keys() - LAB == {("controller", "li/isolation"), ("controller", "ports/hosts")}
    assert "no packet tried" in wrong["controller", "li/isolation"]


def test_a_private_key_that_the_account_may_not_read_is_unseen_and_hides_no_finding() -> None:
    def judged(days: int) -> Verdict:
        chain = read_chain(issued(("matrix.example.test", "chat.example.test"), days, NOW)[0])
        declared = DeclaredFiles(chain, hidden="the account that looks may not read it")
        return verdicts(view(files=declared))["controller", "certificates/site"]

    assert "could not be seen: the account" in judged(300).doubt
    assert judged(300).findings == ()
    assert [finding.message for finding in judged(5).findings]


def test_declared_certificates_are_judged() -> None:
    def site_certificates(chain: Any, fits: bool | None = True) -> str:
        verdict = verdicts(view(files=DeclaredFiles(chain, fits)))["controller", "certificates/site"]
        return "; ".join(finding.message for finding in verdict.findings)

    names = ("matrix.example.test", "chat.example.test")
    assert site_certificates(read_chain(issued(names, 300, NOW)[0])) == ""
    assert "expires in 5 days" in site_certificates(read_chain(issued(names, 5, NOW)[0]))
    assert "expired on" in site_certificates(read_chain(issued(names, -1, NOW)[0]))
    assert "does not name chat" in site_certificates(read_chain(issued(names[:1], 300, NOW)[0]))
    assert "is not the key" in site_certificates(read_chain(issued(names, 300, NOW)[0]), False)
    assert "cannot be read" in site_certificates("x cannot be read")
    strangers = issued(names, 300, NOW)[0] + issued(("other",), 300, NOW)[0]
    assert "is not signed by what follows it" in site_certificates(read_chain(strangers))


def _with(**settings: Any) -> ComplianceView:
    declared = site()
    return view(site=replace(declared, settings=declared.settings.model_copy(update=settings)))


@pytest.mark.parametrize(
    ("check", "settings", "says"),
    [
        ("site/users", {"concurrent_users": 50_000}, "more than the sizing"),
        ("site/users", {"concurrent_users": 101}, ""),
        ("site/workers", {"size": "auto"}, "worker: 1 servers"),
        ("site/federation", {"federation": True}, ""),
        ("site/ingress", {"external": {}}, "no external address for ingress"),
        (
            "site/pods",
            {
                "kubernetes": site().settings.kubernetes.model_copy(
                    update={"pod_cidrs": site().settings.networks["main"].cidrs}
                )
            },
            "overlaps",
        ),
        (
            "site/tls",
            {"tls": site().settings.tls.model_copy(update={"method": "organisation"})},
            "names no certificate",
        ),
        ("site/li-dns", {"dns": site().settings.dns.model_copy(update={"li": ()})}, "no name server of LI"),
        (
            "site/li-dns",
            {"dns": site().settings.dns.model_copy(update={"li": site().settings.dns.main})},
            "cannot tell both views",
        ),
        ("site/li-access", {"li": site().settings.li.model_copy(update={"clients": ()})}, "li.clients"),
        (
            "site/li-ingress",
            {"li": site().settings.li.model_copy(update={"ingress": (ip_address("10.20.1.9"),)})},
            "no address of a host of LI",
        ),
        (
            "site/install-access",
            {"kubernetes": site().settings.kubernetes.model_copy(update={"packages": "apt"})},
            "no mirror",
        ),
    ],
)
def test_information_that_is_missing_or_does_not_fit_is_found(check: str, settings: dict[str, Any], says: str) -> None:
    verdict = verdicts(_with(**settings))["controller", check]
    if says:
        assert says in "; ".join(finding.message for finding in verdict.findings)
    else:
        assert not verdict.findings


def test_what_bootstrap_brings_is_pending_before_it() -> None:
    changes = {name: put("release", "prepared", to=False) for name in ("cp-1", "w-1")}
    seen = pending(view(changes))
    for check in ("kernel/settings", "kernel/modules", "kernel/at-boot", "packages/installed"):
        assert {("cp-1", check), ("w-1", check)} <= seen
        assert ("db-1", check) not in seen


def test_limits_are_settings_of_the_site() -> None:
    late = _with(compliance=Compliance(free_percent=99))
    assert any(check == "disks/space" for _, check in bad(late))
    old = replace(_with(compliance=Compliance(proof_hours=1)), now=NOW + timedelta(hours=3))
    assert ("controller", "perimeter/rows") in bad(old)
