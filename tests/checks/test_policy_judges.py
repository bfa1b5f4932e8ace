"""Checks of NetworkPolicies name the policy, the chain and the port that they are about."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from model.rollout.policies import policy_names
from tests.checks.changes import put
from tests.checks.golden import CLUSTER, bad, pending, site, verdicts, view
from tests.checks.test_every_check_goes_red import left_behind, policy, without_table

Sections = dict[str, Any]
CONTROLLER = "controller"
_JUMPS = "".join(f"-A {hook} -j KUBE-ROUTER-{hook}\n" for hook in ("INPUT", "FORWARD", "OUTPUT"))


def all_but(*missing: str) -> Callable[[Sections], None]:
    names = sorted(policy_names(site(CLUSTER)) - set(missing))
    listed = [{"metadata": dict(zip(("namespace", "name"), name.split("/"), strict=True))} for name in names]
    return put("cluster", "policies", to=listed)


def test_before_the_rollout_no_policy_is_due() -> None:
    assert (CONTROLLER, "policies/declared") in pending(view(of=CLUSTER))


def test_all_policies_of_the_matrix_are_good() -> None:
    seen = view({"cp-1": all_but()}, of=CLUSTER)
    assert (CONTROLLER, "policies/declared") not in bad(seen)
    assert "are there" in verdicts(seen)[CONTROLLER, "policies/declared"].good


@pytest.mark.parametrize("name", ["matrix/closed", "matrix/postgresql", "cnpg-system/every-pod"])
def test_a_policy_that_somebody_deleted_is_named(name: str) -> None:
    wrong = bad(view({"cp-1": all_but(name)}, of=CLUSTER))[CONTROLLER, "policies/declared"]
    assert f"there is no NetworkPolicy {name}" in wrong
    assert wrong.count("there is no NetworkPolicy") == 1


def test_pods_without_any_policy_are_no_rollout_that_has_not_begun() -> None:
    def pod(sections: Sections) -> None:
        first = deepcopy(sections["cluster"]["pods"][0])
        first["metadata"] |= {"namespace": "matrix", "name": "synapse-0"}
        sections["cluster"]["pods"].append(first)

    assert "matrix/closed" in bad(view({"cp-1": pod}, of=CLUSTER))[CONTROLLER, "policies/declared"]


def daemon(sections: Sections) -> None:
    """Let the workload that is Flannel's be kube-router's."""
    found = [item for item in sections["cluster"]["workloads"] if item["metadata"]["name"] == "flannel"]
    assert found
    found[0]["metadata"]["name"] = "kube-router"


def led(*versions: str) -> Callable[[Sections], None]:
    def change(sections: Sections) -> None:
        for version in versions:
            saved = sections["rules"]["saved"]
            saved[version] = saved[version].replace("COMMIT\n", f"{_JUMPS}COMMIT\n")

    return change


def test_rules_that_lead_nowhere_in_one_family_are_found_on_that_node() -> None:
    changes = {"cp-1": daemon, "w-1": led("4", "6"), "db-1": led("4")}
    wrong = bad(view(changes, of=CLUSTER))
    assert ("w-1", "policies/rules") not in wrong
    assert "of IPv6 nothing leads to its rules in INPUT, FORWARD, OUTPUT" in wrong["db-1", "policies/rules"]


def test_rules_that_were_left_behind_are_named() -> None:
    wrong = bad(view({"db-1": left_behind}, of=CLUSTER))
    assert "2 chains of kube-router are left, such as KUBE-POD-FW-A" in wrong["db-1", "policies/rules"]


def test_without_its_table_a_node_is_open_to_its_pods() -> None:
    wrong = bad(view({"db-1": without_table}, of=CLUSTER))["db-1", "policies/own-node"]
    assert "lets its pods come to 1-" in wrong
    assert policy("x")


def test_a_table_that_nobody_could_read_is_not_good() -> None:
    unread = put("rules", "nft", to="")
    assert "cannot be judged" in bad(view({"db-1": unread}, of=CLUSTER))["db-1", "policies/own-node"]


def test_an_enforcer_that_the_site_has_and_nobody_runs_is_found() -> None:
    declared = site(CLUSTER)
    cni = declared.settings.cni.model_copy(update={"policies": "kube-router"})
    other = replace(declared, settings=declared.settings.model_copy(update={"cni": cni}))
    wrong = bad(replace(view(of=CLUSTER), site=other))
    assert {name for name, check in wrong if check == "policies/rules"} == {machine.name for machine in other.nodes} | {
        machine.name for machine in other.servers if other.isolated(machine)
    }
