"""What preflight and compliance both judge they judge alike, whichever look at the host told the facts."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from checks.check import ComplianceView
from checks.declared import servers
from model.check import judgement
from model.check.judgement.declared import shortage
from model.check.lint import findings
from model.check.preflight import examine
from model.host.machine_facts import MachineFacts
from model.site.hosts import Disk
from model.site.site import Site
from remote.facts.machine import parse
from remote.facts.sections import sections
from tests.checks.cases.hardware import slow_links
from tests.checks.cases.names import answered, unheard, wire_answer
from tests.checks.changes import both, put, text
from tests.checks.golden import NOW, collected, site, verdicts, view
from tests.model.check.preflight.preflight_data import MARK, answer
from tests.mutation import loaded
from tests.mutation import site as mutated

Sections = dict[str, Any]
HOST, SERVER = "cp-1", "10.20.1.1"
SHELL = sections(MARK, answer("bookworm-bare-cp-1").decode())
BUSTER = SHELL["os-release"].replace("bookworm", "buster")
BULLSEYE = SHELL["os-release"].replace("bookworm", "bullseye")
FILTER = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 5555 -j ACCEPT\nCOMMIT\n"
# In front of INPUT, where nothing else of the host's stands.
FRONT = {
    "nat": "*nat\n:PREROUTING ACCEPT [0:0]\n"
    "-A PREROUTING -p tcp -m tcp --dport 6000 -j REDIRECT --to-ports 10250\nCOMMIT\n",
    "raw": "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -m tcp --dport 31000:31100 -j DROP\nCOMMIT\n",
}
DISK = Disk(id="scsi-1", gib=100, purpose="database")


def _in_front(text: str) -> Callable[[Sections], None]:
    """Return a change that adds a table to what the host holds."""

    def change(sections: Sections) -> None:
        saved = sections["rules"]["saved"]
        saved["4"] += text

    return change


@dataclass(frozen=True, kw_only=True)
class Case:
    """
    One judgement, the checks that make it, and the same thing wrong in what the shell and what the collector told.

    `alike` is False where one of both looks knows more to say.
    """

    judgement: str
    preflight: str
    compliance: str
    says: str
    script: Mapping[str, str] = field(default_factory=dict)
    collector: Callable[[Sections], None] = lambda _sections: None
    alike: bool = True
    disks: tuple[Disk, ...] = ()


def _heard(name: str, address: str) -> str:
    return f"{SHELL['asked']}dns {SERVER} {wire_answer(name, address)}\n"


def _without(name: str) -> str:
    """What the shell told of its questions, where the first server says nothing of a name."""
    document: Sections = json.loads(collected(HOST))["sections"]
    unheard(SERVER, name)(document)
    packets = "".join(document["names"]["answers"][SERVER])
    lines = SHELL["asked"].splitlines()
    return "\n".join(f"dns {SERVER} {packets}" if line.startswith(f"dns {SERVER} ") else line for line in lines)


CASES = (
    Case(
        judgement="size.too_few_cpus",
        preflight="cpu-too-few",
        compliance="hardware/size",
        says="has 1 CPU; its roles (control_plane) need 2",
        script={"cpus": "1\n"},
        collector=put("hardware", "cpus", to=1),
    ),
    Case(
        judgement="size.too_little_memory",
        preflight="memory-too-small",
        compliance="hardware/size",
        says="has 0.2 GiB of memory; its roles (control_plane) need 1.7",
        script={"memory": f"MemTotal {2**18}\nMemAvailable {2**18}\n"},
        collector=put("hardware", "memory_kib", to=2**18),
    ),
    Case(
        judgement="disks.swapping",
        preflight="swap",
        compliance="swap/off",
        says="swaps on /dev/zram0 (zram, 1.0 GiB)",
        script={"swaps": "/dev/zram0 partition 1048576 0 100\n"},
        collector=put("swaps", "active", to=["/dev/zram0 partition 1048576 0 100"]),
    ),
    Case(
        judgement="disks.swapping",
        preflight="swap",
        compliance="swap/off",
        says="/etc/fstab would swap on UUID=1 at the next boot",
        script={"fstab": "UUID=1\n"},
        collector=put("swaps", "configured", to=["UUID=1"]),
    ),
    Case(
        judgement="disks.undersupplied",
        preflight="disk-missing",
        compliance="disks/declared",
        says="its disk scsi-1 has 10 GiB, and 100 are declared",
        script={"disks": f"sdb {10 * 2**21} 0\n", "disk-ids": "scsi-1 sdb\n"},
        collector=both(
            put("disks", "disks", to=[["sdb", 10 * 2**30, False]]), put("disks", "ids", to=[["scsi-1", "sdb"]])
        ),
        disks=(DISK,),
    ),
    Case(
        judgement="links.missing_addresses",
        preflight="address-missing",
        compliance="hardware/links",
        says="does not have 10.20.1.11, fd20:1::11, which hosts.yaml declares",
        script={"addresses": SHELL["addresses"].replace("10.20.1.11", "10.9.9.9").replace("fd20:1::11", "fd20:1::99")},
        collector=both(
            text("hardware", "10.20.1.11", "10.9.9.9", "addresses"),
            text("hardware", "fd20:1::11", "fd20:1::99", "addresses"),
        ),
    ),
    Case(
        judgement="links.slow_links",
        preflight="link-slow",
        compliance="hardware/links",
        says="its eth0 runs at 100 Mbit/s, and main should have 1000",
        script={"links": SHELL["links"].replace(" 10000 ", " 100 ")},
        collector=slow_links,
    ),
    Case(
        judgement="clocks.unsynchronised",
        preflight="clock-unsynchronised",
        compliance="time/synchronised",
        says="its clock follows none",
        collector=text("clock", "Normal", "Not synchronised", "tracking"),
        alike=False,
    ),
    Case(
        judgement="software.unsupported",
        preflight="os-unsupported",
        compliance="os/release",
        says="runs Debian GNU/Linux 12 (buster); known are Debian 11 (bullseye)",
        script={"os-release": BUSTER},
        collector=put("release", "os_release", to=BUSTER),
    ),
    Case(
        judgement="software.end_of_life",
        preflight="os-end-of-life",
        compliance="os/release",
        says="Debian 11 (bullseye) has had no security updates since",
        script={"os-release": BULLSEYE},
        collector=put("release", "os_release", to=BULLSEYE),
    ),
    Case(
        judgement="software.half_installed",
        preflight="dpkg-broken",
        compliance="packages/installed",
        says="packages are half installed: dash",
        script={"packages": SHELL["packages"].replace("ii |dash|", "iF |dash|")},
        collector=text("packages", "ii |dash|", "iF |dash|"),
    ),
    Case(
        judgement="software.held",
        preflight="packages-held",
        compliance="packages/holds",
        says="sudo",
        script={"packages": f"{SHELL['packages'].rstrip()}\nhi |sudo|1\n"},
        collector=text("packages", "ii |sudo|", "hi |sudo|"),
        alike=False,
    ),
    Case(
        judgement="rules.foreign",
        preflight="foreign-rules",
        compliance="firewall/foreign",
        says="rules of others decide about packets: ",
        script={"iptables-save": FILTER},
        collector=lambda answered_sections: answered_sections["rules"]["saved"].update(
            {
                "4": answered_sections["rules"]["saved"]["4"].replace(
                    "-A INPUT", f"{FILTER.splitlines()[2]}\n-A INPUT", 1
                )
            }
        ),
    ),
    *(
        Case(
            judgement="rules.foreign",
            preflight="foreign-rules",
            compliance="firewall/foreign",
            says=f"rules of others decide about packets: iptables -t {table} -A PREROUTING -p tcp -m tcp --dport ",
            script={"iptables-save": text},
            collector=_in_front(text),
        )
        for table, text in FRONT.items()
    ),
    Case(
        judgement="names.answered",
        preflight="dns-wrong",
        compliance="dns/main",
        says="chat.example.test (Element Web) leads to 198.51.100.9, not to ",
        script={"asked": _heard("chat.example.test", "198.51.100.9")},
        collector=answered(SERVER, "chat.example.test", "198.51.100.9"),
    ),
    Case(
        judgement="names.unanswered",
        preflight="dns-silent",
        compliance="dns/main",
        says="the name server 10.20.1.1 gives no answer for chat.example.test",
        script={"asked": _without("chat.example.test")},
        collector=unheard(SERVER, "chat.example.test"),
    ),
    Case(
        judgement="names.leaked",
        preflight="dns-li-leak",
        compliance="dns/li-only",
        says="keyvault.example.test can be resolved outside LI, by 10.20.1.1",
        script={"asked": _heard("keyvault.example.test", "10.20.2.11")},
        collector=answered(SERVER, "keyvault.example.test", "10.20.2.11"),
    ),
)
# Of what the owner declared: the judgement, lint's rule, compliance's check, and a site in which both go red.
DECLARED = (
    ("declared.misplaced", "address-outside-network", "site/networks", {"hosts:w-1.data.addresses.main": ["10.9.9.9"]}),
    ("declared.cluster_overlaps", "cidr-overlap", "site/pods", {"site:kubernetes.pod_cidrs": ["10.20.0.0/15"]}),
    ("declared.cluster_overlaps", "cidr-overlap", "site/pods", {"site:management": ["10.244.7.0/24"]}),
    ("declared.shortage", "role-minimum", "site/workers", {"site:concurrent_users": 9_000, "site:size": "auto"}),
    ("declared.beyond_sizing", "sizing-beyond", "site/users", {"site:concurrent_users": 90_000, "site:size": "auto"}),
    ("declared.unnamed_files", "certificate", "site/tls", {"site:tls.method": "organisation"}),
    ("declared.lacks_contact", "certificate", "site/tls", {"site:tls.method": "letsencrypt-dns01"}),
    (
        "declared.lacks_port_80",
        "certificate",
        "site/http-01",
        {"site:tls": {"method": "letsencrypt-http01", "email": "a@b.test"}, "ports:rows.http.ports": [81]},
    ),
)
# Parts of the judgements above, which several of them or a check's evidence ask for by themselves.
PARTS = {
    "software.interrupted",
    "declared.overlaps",
    "declared.methods",
    "declared.opens",
    "declared.wanted",
    "size.needed",
    "disks.area",
    "links.holders",
    "links.interfaces",
    "clocks.too_far",
    "rules.judged",
    "rules.strangers",
    # Lint and compliance call the same functions of secrets; each goes red in both.
    "secrets.key_inside",
    "secrets.missing",
    "secrets.named_twice",
    "secrets.not_apart",
    "secrets.placeholders",
    "secrets.shared",
    "secrets.too_old",
    "secrets.undeclared",
    "secrets.unfinished_rotations",
    "secrets.unknown_consumers",
    "secrets.untold_rotations",
    "secrets.unused",
    "secrets.weak",
}


def _declared(case: Case) -> Site:
    declared = site()
    machine = declared.by_name[HOST]
    changed = replace(machine, data=machine.data.model_copy(update={"disks": case.disks}))
    return replace(declared, machines=tuple(changed if other.name == HOST else other for other in declared.machines))


def _by_shell(case: Case) -> set[str]:
    changed = "".join(f"\n{MARK} {name}\n{body}" for name, body in {**SHELL, **case.script}.items())
    facts: MachineFacts = parse(HOST, MARK, changed.encode(), (0.0, 0.0))
    of_host = examine(_declared(case), {HOST: facts}, NOW.date())[HOST]
    return {finding.message for finding in of_host if finding.check == case.preflight}


def _by_collector(case: Case) -> set[str]:
    seen = view({HOST: case.collector}, site=_declared(case))
    return {finding.message for finding in verdicts(seen)[HOST, case.compliance].findings}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.judgement}-{case.says[:20]}")
def test_both_kinds_of_facts_lead_to_the_same_verdict(case: Case) -> None:
    first, second = _by_shell(case), _by_collector(case)
    assert any(case.says in message for message in first), first
    assert any(case.says in message for message in second), second
    if case.alike:
        assert {message for message in first if case.says in message} == {
            message for message in second if case.says in message
        }


@pytest.mark.parametrize(
    ("rule", "check", "edits"), [case[1:] for case in DECLARED], ids=[f"{case[0]}-{case[2]}" for case in DECLARED]
)
def test_lint_and_compliance_find_the_same_in_the_files(
    rule: str, check: str, edits: dict[str, Any], tmp_path: Path
) -> None:
    whole, broken = loaded(), mutated(tmp_path, set=edits)
    assert _of_files(whole, rule, check) == (False, False)
    assert _of_files(broken, rule, check) == (True, True)


def _of_files(declared: Site, rule: str, check: str) -> tuple[bool, bool]:
    seen = ComplianceView(site=declared, now=NOW)
    return (
        any(finding.check == rule for finding in findings(declared, NOW.date())),
        bool(verdicts(seen)["controller", check].findings),
    )


@pytest.mark.parametrize(
    ("features", "needed"),
    [({}, True), ({"turn": False}, True), ({"livekit": False}, True), ({"turn": False, "livekit": False}, False)],
    ids=["both", "livekit-alone", "turn-alone", "neither"],
)
def test_servers_of_calls_are_needed_while_anything_of_calls_is_on(
    features: dict[str, bool], needed: bool, tmp_path: Path
) -> None:
    edits = {f"site:features.{name}": on for name, on in features.items()}
    declared = mutated(tmp_path, set={"site:size": "auto", **edits})
    without = replace(declared, machines=tuple(other for other in declared.machines if "call" not in other.roles))
    by_role, by_purpose = shortage(without, "call", counted="role"), shortage(without, "call", counted="purpose")
    assert [short is not None and short.has == 0 for short in (by_role, by_purpose)] == [needed, needed]
    assert bool(list(servers("calls")(without))) is needed


def test_every_judgement_is_listed_here() -> None:
    known = set()
    for module in pkgutil.iter_modules(judgement.__path__):
        members = inspect.getmembers(importlib.import_module(f"{judgement.__name__}.{module.name}"), inspect.isfunction)
        own = [name for name, member in members if member.__module__.endswith(f".judgement.{module.name}")]
        known |= {f"{module.name}.{name}" for name in own if not name.startswith("_")}
    assert known == {case.judgement for case in CASES} | {case[0] for case in DECLARED} | PARTS
