"""What starts anew when the number of a duty's processes changes, and what must be gone before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from model.rollout.order import WorkloadOrder, order_of
from model.rollout.rendered import RenderedComponent
from model.rollout.restart import ANNOTATION, with_hash
from model.rollout.synapse.duties import DutiesFile, Duty, duties
from model.rollout.synapse.processes import MAIN
from tests.model.rollout.synapse.synapse_sites import rendered, running, site

SITE = site(20_000, federation=True, push_notifications=True)
NAMED = [duty for duty in duties().duties if duty.stream or duty.setting]


def hashes(part: RenderedComponent) -> Mapping[str, str]:
    """Return the hash of what its pods mount, by StatefulSet."""
    contents = {
        (manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"]): manifest
        for manifest in part.objects
        if manifest["kind"] == "ConfigMap"
    }
    return {
        manifest["metadata"]["name"]: with_hash(manifest, contents, b"key")["spec"]["template"]["metadata"][
            "annotations"
        ][ANNOTATION]
        for manifest in part.objects
        if manifest["kind"] == "StatefulSet"
    }


def with_one_more(pool: str) -> DutiesFile:
    """Return the table with one process more of a pool at every size."""
    pools = tuple(
        entry.model_copy(update={"instances": tuple(count + 1 for count in entry.instances)})
        if entry.name == pool
        else entry
        for entry in duties().pools
    )
    return duties().model_copy(update={"pools": pools})


@pytest.mark.parametrize("duty", [duty for duty in NAMED if duty.writers == "sharded"], ids=lambda duty: duty.name)
def test_another_number_of_writers_restarts_every_process(duty: Duty, monkeypatch: pytest.MonkeyPatch) -> None:
    before = hashes(rendered(SITE, "synapse"))
    table = with_one_more(running(SITE).home(duty).name)
    monkeypatch.setattr("model.rollout.synapse.processes.duties", lambda: table)
    after = hashes(rendered(SITE, "synapse"))
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] == after[name]] == []


@pytest.mark.parametrize("duty", [duty for duty in NAMED if duty.writers == "one"], ids=lambda duty: duty.name)
def test_a_duty_given_to_another_restarts_every_process(duty: Duty, monkeypatch: pytest.MonkeyPatch) -> None:
    before = hashes(rendered(SITE, "synapse"))
    given = replace(running(SITE), duties=tuple(_of_main(other, duty) for other in duties().duties))
    monkeypatch.setattr("model.rollout.values.synapse.processes", lambda *_: given)
    after = hashes(rendered(SITE, "synapse"))
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] == after[name]] == []


def _of_main(duty: Duty, wanted: Duty) -> Duty:
    return duty.model_copy(update={"pools": (MAIN,)}) if duty == wanted else duty


def test_another_number_of_readers_restarts_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    before = hashes(rendered(SITE, "synapse"))
    monkeypatch.setattr("model.rollout.synapse.processes.duties", lambda: with_one_more("client-reader"))
    assert hashes(rendered(SITE, "synapse")) == before


def test_main_goes_first_and_senders_are_gone_before_others_start() -> None:
    assert order_of("synapse") == WorkloadOrder(
        first=frozenset({"synapse-main"}), gone=frozenset({"synapse-federation-sender"})
    )
    assert order_of("haproxy") == WorkloadOrder()
    assert order_of("network-policies") == WorkloadOrder()


def test_load_changes_the_number_of_nothing_that_must_be_gone_first() -> None:
    pools = {pool.name: pool for pool in duties().pools}
    gone = [pools[name] for duty in duties().duties if duty.gone_first for name in duty.pools]
    assert gone
    assert not any(pool.scales for pool in gone)


def test_what_is_ordered_is_rendered() -> None:
    names = {
        manifest["metadata"]["name"]
        for manifest in rendered(SITE, "synapse").objects
        if manifest["kind"] == "StatefulSet"
    }
    asked = order_of("synapse")
    assert asked.first | asked.gone <= names
