"""The PostgreSQL cluster that a site gets: instances, locale, memory, disks."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from model.checkout import TEMPLATES
from model.rollout.synapse.homeserver import CONNECTIONS
from model.rollout.synapse.processes import processes
from model.rollout.values import postgresql
from model.site.hosts import Machine
from model.site.site import Site
from model.site.sizing import STEPS, at
from tests.model.rollout.stacks import SITES, changed, found, site

# What bootstrap puts on every node.
AGENTS = ("kube-router", "flannel", "probe")

LARGE = changed(size="auto", concurrent_users=20_000)


def test_three_instances_on_different_database_nodes_one_of_which_confirms_each_write() -> None:
    (cluster,) = found("postgresql", "Cluster")
    spec = cluster["spec"]
    assert spec["instances"] == 3
    assert spec["postgresql"]["synchronous"] == {
        "method": "any",
        "number": 1,
        "dataDurability": "required",
        "failoverQuorum": True,
    }
    assert spec["affinity"]["podAntiAffinityType"] == "required"
    assert spec["affinity"]["topologyKey"] == "kubernetes.io/hostname"
    assert "matrix-fleet.io/role-database" in str(spec["affinity"]["nodeAffinity"])


def test_the_database_is_what_synapse_accepts_and_nobody_is_superuser_from_outside() -> None:
    (cluster,) = found("postgresql", "Cluster")
    initdb = cluster["spec"]["bootstrap"]["initdb"]
    assert (initdb["encoding"], initdb["localeCollate"], initdb["localeCType"]) == ("UTF8", "C", "C")
    assert initdb["dataChecksums"] is True
    assert cluster["spec"]["enableSuperuserAccess"] is False
    # The operator reads the version off the tag.
    assert re.search(r":1[5-8][.-][^@]*@sha256:", cluster["spec"]["imageName"])


@pytest.mark.parametrize("name", SITES)
def test_every_synapse_process_finds_its_connections(name: str) -> None:
    known = SITES[name]()
    allowed = int(postgresql.parameters(known, 4096)["max_connections"])
    assert allowed >= len(processes(known.settings, "matrix").all) * CONNECTIONS + 10


def test_memory_for_all_connections_fits_what_the_instance_may_use() -> None:
    for name in SITES:
        known = SITES[name]()
        given = postgresql.values(known)
        memory, parameters = given["memory_mib"], given["parameters"]
        assert isinstance(memory, int)
        assert isinstance(parameters, dict)
        shared = int(parameters["shared_buffers"].removesuffix("MB"))
        assert shared + int(parameters["maintenance_work_mem"].removesuffix("MB")) * 3 < memory


@pytest.mark.parametrize("users", STEPS)
def test_an_instance_fits_a_server_of_the_recommended_size_beside_what_runs_on_every_node(users: int) -> None:
    known = site(changed(size="auto", concurrent_users=users))
    size = at(users)["postgresql"]
    (cluster,) = found("postgresql", "Cluster", known)
    asked = cluster["spec"]["resources"]["requests"]
    agents = [path.read_text("utf-8") for name in AGENTS for path in (TEMPLATES / "manifests" / name).glob("*.yaml.j2")]
    asks = [match for text in agents for match in re.findall(r"requests: \{cpu: (\d+)m, memory: (\d+)Mi\}", text)]
    assert len(asks) == len(AGENTS)
    assert millicpus(asked["cpu"]) + sum(int(cpu) for cpu, _ in asks) <= size.cpus * 1000
    # Of a server's memory its kernel keeps a fiftieth, and kubelet evicts pods before the last 100 MiB.
    allocatable = size.ram_gib * 1024 * 49 // 50 - 100
    assert int(asked["memory"].removesuffix("Mi")) + sum(int(memory) for _, memory in asks) <= allocatable


def millicpus(quantity: object) -> int:
    """Return thousandths of a processor."""
    text = str(quantity)
    return int(text.removesuffix("m")) if text.endswith("m") else int(text) * 1000


def test_a_second_disk_of_every_database_server_takes_the_log() -> None:
    (one,) = found("postgresql", "Cluster", site(drives=1))
    (two,) = found("postgresql", "Cluster", site(drives=2))
    assert "walStorage" not in one["spec"]
    assert two["spec"]["walStorage"]["pvcTemplate"]["selector"] == {
        "matchLabels": {"matrix-fleet.io/purpose": "database"}
    }
    assert two["spec"]["storage"]["size"] == "100Gi"


def test_without_declared_disks_the_class_is_asked_for_what_the_sizing_says() -> None:
    (cluster,) = found("postgresql", "Cluster", site(LARGE))
    assert "pvcTemplate" not in cluster["spec"]["storage"]
    assert cluster["spec"]["storage"]["size"] == "2850Gi"


@pytest.mark.parametrize("drives", [0, 1, 2])
@pytest.mark.parametrize("log_gib", [1, 20, 2000])
def test_the_log_cannot_fill_the_volume_that_it_is_on(drives: int, log_gib: int) -> None:
    known = _with_log_disk(site(drives=drives), log_gib)
    (cluster,) = found("postgresql", "Cluster", known)
    spec = cluster["spec"]
    gib = int(spec.get("walStorage", spec["storage"])["size"].removesuffix("Gi"))
    assert gib == {0: 1, 1: 100, 2: log_gib}[drives]
    taken = postgresql.parameters(known, 512)
    mib = {name: int(taken[name].removesuffix("MB")) for name in ("max_wal_size", "max_slot_wal_keep_size")}
    assert mib["max_slot_wal_keep_size"] <= gib * 1024 / 2
    assert sum(mib.values()) < gib * 1024 * 0.8


def _with_log_disk(known: Site, gib: int) -> Site:
    """Return the site with another size of what is the second disk of its database servers, where they have one."""
    return replace(known, machines=tuple(_resized(machine, gib) for machine in known.machines))


def _resized(machine: Machine, gib: int) -> Machine:
    disks = list(machine.data.disks)
    databases = [number for number, disk in enumerate(disks) if disk.purpose == "database"]
    for number in databases[1:]:
        disks[number] = disks[number].model_copy(update={"gib": gib})
    return replace(machine, data=machine.data.model_copy(update={"disks": tuple(disks)}))
