"""Every judge of hosts goes red for what it is for and for nothing else; hosts as they should be have no finding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from checks.check import HostCheck
from checks.discovery import every
from model.check.check import run
from model.site.hosts import Disk
from tests.checks.cases import CASES
from tests.checks.cases.names import answered
from tests.checks.changes import Case, Sections, put
from tests.checks.golden import GATES_OF_OTHERS, LAB, bad, pending, view

# The router's answer of a name that it knows and that has no address.
NOWHERE = "000d81800001000000000000076578616d706c6504746573740000010001"
# A server that does not answer says nothing of LI's names either.
CONSEQUENCES = {("dns/main", "does not answer"): {("cp-1", "dns/li-only")}}


def test_real_hosts_as_they_should_be_have_no_finding() -> None:
    assert bad(view()).keys() == LAB
    cluster = {check.id for check in every() if check.id.startswith("cluster/")}
    # What the rollout brings is due once somebody has begun with it.
    rollout = {check.id for check in every() if check.id.split("/")[0] in ("secrets", "gates", "objects", "policies")}
    assert {check for _, check in pending(view())} == cluster | (rollout - GATES_OF_OTHERS) | {
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
    # Policies have tests of their own, with real rules of their enforcer.
    # So has what is told beside the collector.
    others = {"access/root", "disks/declared", "schedule/files", "policies/own-node", "policies/rules"}
    others |= {"firewall/next-boot", "firewall/unconfirmed"}
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


def test_the_apex_may_lead_to_the_organisations_web_site_and_must_lead_somewhere() -> None:
    other = {"cp-1": answered("10.20.1.1", "example.test", "192.0.2.80")}
    assert bad(view(other)).keys() == LAB
    assert ("cp-1", "dns/main") not in pending(view(other))

    def none(sections: Sections) -> None:
        answered("10.20.1.1", "example.test", "192.0.2.80")(sections)
        packets = sections["names"]["answers"]["10.20.1.1"]
        sections["names"]["answers"]["10.20.1.1"] = [*packets[:-1], NOWHERE]

    assert ("cp-1", "dns/main") in pending(view({"cp-1": none}))
    assert bad(view({"cp-1": none})).keys() == LAB


def test_what_bootstrap_brings_is_pending_before_it() -> None:
    changes = {name: put("release", "prepared", to=False) for name in ("cp-1", "w-1")}
    seen = pending(view(changes))
    for check in ("kernel/settings", "kernel/modules", "kernel/at-boot", "packages/installed"):
        assert {("cp-1", check), ("w-1", check)} <= seen
        assert ("db-1", check) not in seen
