"""The PostgreSQL cluster that a site gets: instances, locale, memory, disks."""

from __future__ import annotations

import re

import pytest

from model.checkout import TEMPLATES
from model.rollout.synapse.homeserver import CONNECTIONS
from model.rollout.synapse.processes import processes
from model.rollout.values import postgresql
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


def test_the_log_kept_for_a_follower_that_is_away_cannot_fill_the_disk() -> None:
    for drives in (0, 1):
        known = site(drives=drives)
        gib = 100 if drives else 1
        kept = int(postgresql.parameters(known, 512)["max_slot_wal_keep_size"].removesuffix("MB"))
        assert kept < gib * 1024 / 2
