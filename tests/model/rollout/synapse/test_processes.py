"""Every duty of Synapse has somebody who does it, at every size, and nobody is named who does not run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from model.rollout.rendered import pod_template
from model.rollout.synapse.duties import duties
from model.rollout.synapse.homeserver import process_file, shares
from model.rollout.synapse.processes import MAIN, MASTER, REPLICATION_PORT
from model.site.sizing import STEPS, worker
from tests.model.rollout.synapse.synapse_sites import SIZES, rendered, running, site

SINGLE = ("typing", "to_device", "account_data", "presence", "push_rules")


def test_a_small_site_runs_what_its_machines_can_bear() -> None:
    assert [process.name for process in running(site("small")).all] == [
        "synapse-main-0",
        "synapse-sync-0",
        "synapse-sync-1",
        "synapse-client-reader-0",
        "synapse-event-persister-0",
        "synapse-stream-writer-0",
        "synapse-media-0",
        "synapse-media-1",
    ]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("federation", [True, False])
def test_every_share_is_given_to_processes_that_run_and_can_be_reached(size: str | int, federation: bool) -> None:
    here = running(site(size, federation=federation))
    given = shares(here)
    names = {process.name for process in here.all} | {MASTER}
    for stream, writers in given["stream_writers"].items():
        assert writers, stream
        assert set(writers) <= names
        assert {MAIN if writer == MASTER else writer for writer in writers} <= given["instance_map"].keys()
        assert stream not in SINGLE or len(writers) == 1
    for setting in ("federation_sender_instances", "pusher_instances"):
        assert set(given.get(setting, ())) <= names
    for setting in ("run_background_tasks_on", "update_user_directory_from_worker"):
        assert given.get(setting, MASTER) in names
    assert given["media_instance_running_background_jobs"] in names


@pytest.mark.parametrize("size", SIZES)
def test_whoever_is_in_the_instance_map_listens_for_it(size: str | int) -> None:
    of = site(size)
    here = running(of)
    mapped = shares(here)["instance_map"]
    for process in here.all:
        own = process_file(here, process, of.settings)
        ports = {entry["port"] for entry in own.get("listeners") or own["worker_listeners"]}
        assert (REPLICATION_PORT in ports) == ((MAIN if here.is_main(process) else process.name) in mapped)


@pytest.mark.parametrize("size", STEPS)
def test_the_processes_fit_the_servers_that_the_sizing_asks_for(size: int) -> None:
    servers = worker(size)
    everything = running(site(size, federation=True, push_notifications=True))
    # One server lost; each also carries what is no Synapse, for which the sizing keeps two CPUs.
    assert len(everything.all) <= (servers.servers - 1) * (servers.cpus - 2)


def test_pools_and_duties_know_each_other() -> None:
    pools = {pool.name for pool in duties().pools}
    named = {name for duty in duties().duties for name in duty.pools}
    assert named == pools - {MAIN}


@pytest.mark.parametrize("load_decides", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_only_stateless_pools_are_scaled_by_load_and_only_where_the_site_says_so(
    size: str | int, load_decides: bool
) -> None:
    of = site(size, federation=True, autoscaling=load_decides)
    here = running(of)
    writers = {process.pool.name for process in here.writers}
    scaled = {manifest["metadata"]["name"] for manifest in objects(of, "HorizontalPodAutoscaler")}
    assert not {f"synapse-{name}" for name in writers} & scaled
    assert bool(scaled) is load_decides


@pytest.mark.parametrize("load_decides", [False, True])
def test_a_pool_keeps_its_processes_when_load_begins_to_decide(load_decides: bool) -> None:
    of = site(5000, autoscaling=load_decides)
    least = {manifest["metadata"]["name"]: manifest["spec"]["replicas"] for manifest in objects(of, "StatefulSet")}
    assert least["synapse-sync"] == 6
    for scaler in objects(of, "HorizontalPodAutoscaler"):
        assert scaler["spec"]["minReplicas"] == least[scaler["metadata"]["name"]]


def test_no_process_that_changes_its_number_by_load_is_named_in_the_configuration() -> None:
    text = yaml.dump(shares(running(site(20000, federation=True))))
    for pool in duties().pools:
        assert not pool.scales or f"synapse-{pool.name}-" not in text


def objects(of: Any, kind: str) -> list[Mapping[str, Any]]:
    return [manifest for manifest in rendered(of, "synapse").objects if manifest["kind"] == kind]


@pytest.mark.parametrize("size", SIZES)
def test_a_pool_that_may_have_two_or_more_loses_one_pod_at_a_time_and_none_with_one_node(size: str | int) -> None:
    of = site(size, federation=True, autoscaling=size == 5000)
    sets = objects(of, "StatefulSet")
    most = {manifest["metadata"]["name"]: manifest["spec"].get("replicas", 0) for manifest in sets}
    for scaler in objects(of, "HorizontalPodAutoscaler"):
        most[scaler["metadata"]["name"]] = scaler["spec"]["maxReplicas"]
    several = {name for name, count in most.items() if count > 1}
    assert {manifest["metadata"]["name"] for manifest in objects(of, "PodDisruptionBudget")} == several
    spread = {
        manifest["metadata"]["name"]
        for manifest in sets
        if "topologySpreadConstraints" in manifest["spec"]["template"]["spec"]
    }
    assert spread == several


def test_a_pool_that_begins_with_one_process_and_may_grow_has_a_budget() -> None:
    of = site(5000, federation=True, autoscaling=True)
    budgets = {manifest["metadata"]["name"] for manifest in objects(of, "PodDisruptionBudget")}
    assert {"synapse-initial-sync", "synapse-federation-reader"} <= budgets


def test_secrets_are_files_and_only_main_may_make_users() -> None:
    of = site("small")
    for manifest in objects(of, "StatefulSet"):
        pod = (pod_template(manifest) or {})["spec"]
        mounted = {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
        main, media = (manifest["metadata"]["name"] == f"synapse-{name}" for name in ("main", "media"))
        assert ("synapse-main-secrets" in mounted) == main
        assert ("synapse-s3" in mounted) == media
        for container in (*pod["initContainers"], *pod["containers"]):
            names = {variable["name"] for variable in container.get("env", ())}
            assert names <= {
                "POD_NAME",
                "LD_PRELOAD",
                "AWS_SHARED_CREDENTIALS_FILE",
                "AWS_REQUEST_CHECKSUM_CALCULATION",
                "AWS_RESPONSE_CHECKSUM_VALIDATION",
            }
    for manifest in objects(of, "ConfigMap"):
        assert "@@secret:" not in yaml.dump(manifest)


def test_the_authority_of_the_database_is_mounted_without_its_key() -> None:
    for manifest in objects(site("small"), "StatefulSet"):
        volumes = (pod_template(manifest) or {})["spec"]["volumes"]
        found = next(volume for volume in volumes if volume["name"] == "postgresql-ca")
        assert [item["key"] for item in found["secret"]["items"]] == ["ca.crt"]


def test_probes_cannot_kill_a_process_that_is_busy() -> None:
    for manifest in objects(site("small"), "StatefulSet"):
        container = (pod_template(manifest) or {})["spec"]["containers"][0]
        assert container["livenessProbe"]["timeoutSeconds"] >= 12
        assert container["livenessProbe"]["failureThreshold"] >= 8
        startup = container["startupProbe"]
        assert startup["periodSeconds"] * startup["failureThreshold"] >= 108
