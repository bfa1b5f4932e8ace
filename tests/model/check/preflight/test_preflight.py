"""Every check of preflight goes red where it must, and a host with nothing wrong has no finding."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from ipaddress import ip_address
from pathlib import Path

import pytest

from model.check.finding import Finding
from model.check.preflight import CHECKS, examine
from model.check.preflight.questions import peers
from model.host.machine_facts import Clock, Connect, Unit
from model.host.machine_facts import Path as Way
from tests.model.check.preflight.preflight_cases import CASES, ENDPOINT, GIB, LINK, Case, mounts, refusing, rules, table
from tests.model.check.preflight.preflight_data import DISK, bundle, but, golden, healthy
from tests.model.packets.listening import listener
from tests.mutation import loaded, site

TODAY = date(2026, 11, 25)


def _found(case: Case, folder: Path) -> tuple[Finding, ...]:
    declared = site(folder, set=case.set) if case.set else loaded()
    facts = healthy(declared)
    facts[case.on] = but(facts[case.on], case.facts)
    with_bundle = None if case.bundle is None else bundle(**case.bundle)
    return examine(declared, facts, TODAY, with_bundle)[case.on]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.id}-{CASES.index(case)}")
def test_check_goes_red_and_says_what_was_seen(case: Case, tmp_path: Path) -> None:
    mine = [finding for finding in _found(case, tmp_path) if finding.check == case.id]
    telling = [finding for finding in mine if case.says in finding.message and case.remedy in finding.remedy]
    assert telling, f"it says {[finding.message for finding in mine]}"
    assert {finding.severity for finding in telling} == {case.severity}
    assert all(finding.remedy and finding.host == case.on for finding in mine)


def test_every_check_goes_red_somewhere() -> None:
    assert {check.id for check in CHECKS} == {case.id for case in CASES}


def test_checks_have_one_name_each_and_say_what_they_look_for() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS)
    assert all(check.judge.__doc__ and check.remedy for check in CHECKS)


def test_healthy_hosts_have_no_finding() -> None:
    declared = loaded()
    facts = healthy(declared)
    assert examine(declared, facts, TODAY, bundle()) == dict.fromkeys(facts, ())


def test_a_bare_host_of_the_lab_lacks_nothing_but_what_a_container_lacks(tmp_path: Path) -> None:
    features = dict.fromkeys(("turn", "livekit", "element_call"), False)
    declared = site(tmp_path, set={"site:features": features})
    findings_there = examine(declared, {"cp-1": golden("bookworm-bare-cp-1")}, TODAY)["cp-1"]
    assert {finding.check for finding in findings_there} == {"cgroup-v1", "apparmor-off", "clock-unsynchronised"}


@pytest.mark.parametrize("name", ["cp-1", "w-1"])
def test_a_node_of_the_lab_is_no_finding(name: str, tmp_path: Path) -> None:
    runtime = {"cgroup_driver": "cgroupfs", "apparmor": False}
    lab: dict[str, object] = {"site:features": dict.fromkeys(("turn", "livekit", "element_call"), False)}
    lab |= {"site:kubernetes.cgroup_v1": True, "site:kubernetes.runtime": runtime}
    facts = golden(f"bookworm-node-{name}")
    declared = site(tmp_path, set=lab)
    ways = dict.fromkeys(peers(declared, declared.by_name[name]), Way(1500, small=True, large=True))
    facts = but(facts, {"asked.paths": ways})
    assert facts.ours
    assert facts.software.server == "https://api.example.test:8443"
    findings_there = examine(declared, {name: facts}, TODAY)[name]
    assert {finding.check for finding in findings_there} <= {"clock-unsynchronised"}


def test_a_host_on_the_way_to_a_node_is_no_finding() -> None:
    declared = loaded()
    facts = healthy(declared)
    own = facts["cp-1"].network.links[0]
    on_the_way = {
        "software.prepared": True,
        "software.remains": ("/etc/kubernetes/pki/ca.crt",),
        "software.units": {unit: Unit("activating", "enabled") for unit in ("kubelet", "containerd", "keepalived")},
        "network.listeners": (listener("tcp", "::", 8443, "haproxy"),),
        "network.links": (replace(own, addresses=(*own.addresses, ip_address("10.20.1.10"))),),
        "network.rulesets": rules(nft=table("matrix_fleet")),
    }
    facts["cp-1"] = but(facts["cp-1"], on_the_way)
    assert examine(declared, facts, TODAY)["cp-1"] == ()


def test_what_this_program_made_of_a_node_is_no_finding() -> None:
    declared = loaded()
    facts = healthy(declared)
    own = facts["cp-1"].network.links[0]
    ours = {
        "software.node": "done join",
        "software.remains": ("/etc/kubernetes/admin.conf", "/var/lib/etcd/member"),
        "software.units": {unit: Unit("active", "enabled") for unit in ("kubelet", "containerd", "keepalived")},
        "network.rulesets": rules("*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n", refusing("kube-proxy")),
        "network.listeners": (
            listener("tcp", "::", 10250, "kubelet"),
            listener("tcp", "::", 10257, "kube-controller"),
            listener("udp", "0.0.0.0", 8472, ""),
        ),
        "network.links": (
            replace(own, addresses=(*own.addresses, ip_address("10.20.1.10"))),
            replace(LINK, name="cni0", addresses=(ip_address("10.244.1.1"),)),
        ),
    }
    facts["cp-1"] = but(facts["cp-1"], ours)
    for name in ("cp-2", "cp-3"):
        facts[name] = but(facts[name], {"asked.connects": {ENDPOINT: Connect("open", own.mac)}})
    assert [finding for findings in examine(declared, facts, TODAY).values() for finding in findings] == []


def test_an_endpoint_held_by_a_control_plane_not_looked_at_is_not_judged() -> None:
    declared = loaded()
    facts = healthy(declared)
    del facts["cp-1"]
    facts["cp-2"] = but(facts["cp-2"], {"software.node": "done join"})
    facts["cp-3"] = but(facts["cp-3"], {"asked.connects": {ENDPOINT: Connect("open", "02:aa:00:00:00:01")}})
    (finding,) = examine(declared, facts, TODAY)["cp-3"]
    assert (finding.check, finding.severity) == ("endpoint-taken", "pending")
    assert "maybe by cp-1" in finding.message


def test_clocks_are_apart_only_where_no_delay_explains_it() -> None:
    declared = loaded()
    facts = healthy(declared)
    facts["w-1"] = but(facts["w-1"], {"clock": Clock(-5.0, 0.5, True)})
    assert examine(declared, facts, TODAY)["w-1"] == ()


def test_production_asks_for_more_than_a_lab(tmp_path: Path) -> None:
    declared = site(tmp_path, set={"site:size": "auto"})
    facts = healthy(declared)
    ids = {finding.check for finding in examine(declared, facts, TODAY)["st-1"]}
    assert {"cpu-too-few", "disk-full"} <= ids


def test_a_declared_disk_for_data_relieves_the_system_disk(tmp_path: Path) -> None:
    disks = [{"id": "nvme-1", "gib": 150, "purpose": "database"}]
    declared = site(tmp_path, set={"site:size": "auto", "hosts:db-1.data.disks": disks})
    facts = healthy(declared)
    room = {"hardware.filesystems": mounts(replace(DISK, size=40 * GIB, free=30 * GIB))}
    for name in ("db-1", "db-2"):
        facts[name] = but(facts[name], room)
    findings_there = {
        name: {finding.check for finding in examine(declared, facts, TODAY)[name]} for name in ("db-1", "db-2")
    }
    assert "disk-full" not in findings_there["db-1"]
    assert "disk-full" in findings_there["db-2"]


def test_steps_of_an_installation_that_is_under_way_are_not_left_behind() -> None:
    declared = loaded()
    facts = healthy(declared)
    busy = {
        "software.locks": ("/var/lib/dpkg/lock",),
        "software.journal": ("0001",),
        "software.apt": "dpkg was interrupted",
    }
    facts["w-1"] = but(facts["w-1"], busy)
    assert [finding.check for finding in examine(declared, facts, TODAY)["w-1"]] == ["apt-locked"]
