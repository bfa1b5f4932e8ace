"""Secrets rotated while people write: no message is lost, the gap is the plan's, the former value is refused."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest

from model.check.judgement.secrets import unfinished_rotations
from model.rollout.rendered import SecretRef
from model.rollout.rotation_steps import Act
from model.rollout.secret_index import kept_indexes
from model.rollout.secret_names import chosen_refs
from model.rollout.secret_rotation import RotationPlan, rotation_plans
from model.site.load import load_site
from model.site.site import Site
from tasks.secrets.store import open_store
from tests.cluster.lab_cluster import LONG, wrong
from tests.matrix.matrix_lab import MatrixLab
from tests.matrix.series import messages_while

pytestmark = pytest.mark.all
_ROTATE = (sys.executable, "-m", "lab", "run", "--", sys.executable, "-m", "flows.secrets", "rotate")
_NAMES = (
    "redis",
    "redis-sentinel",
    "s3-synapse",
    "postgresql-synapse",
    "postgresql-seaweedfs",
    "s3-admin",
    "synapse-signing-key",
    "synapse/worker_replication_secret",
    "synapse/macaroon_secret_key",
)
# Messages are sent until a rotation has ended, and then for as long again as a process may be away unnoticed.
_AFTER_S = 20
# A plan without a gap allows the moment in which one process takes over from another.
_LEAST_GAP = 15


@pytest.mark.parametrize("name", _NAMES)
def test_a_rotation_costs_what_its_plan_says_and_no_message(matrix: MatrixLab, name: str) -> None:
    site = load_site(matrix.lab.inventory)
    (plan,) = rotation_plans(site, chosen_refs(site, [name]))
    before = _values(site, plan)
    reports: list[tuple[int, dict[str, Any]]] = []
    heard = messages_while(
        matrix, LONG, lambda: reports.append(matrix.flow("secrets", "rotate", name, seconds=LONG)), _AFTER_S
    )
    ((code, report),) = reports
    assert (code, wrong(report)) == (0, [])
    after = _values(site, plan)
    assert all(after[ref] != before[ref] for ref in plan.refs)
    untried = [row["message"] for row in report["outcomes"] if row["subject"].endswith("/refusal")]
    assert len(untried) == (0 if _is_tried(site, name) else 1), untried
    assert heard.figures["lost_acknowledged"] == 0, heard
    assert heard.figures["gap_max_s"] <= max(plan.rotation.gap_seconds, _LEAST_GAP), heard
    assert matrix.changed("--dry-run") == (0, {})


def test_who_registers_users_needs_the_new_secret(matrix: MatrixLab) -> None:
    # The users of a series are made by it: none runs meanwhile.
    code, report = matrix.flow("secrets", "rotate", "synapse/registration_shared_secret", seconds=LONG)
    assert (code, wrong(report)) == (0, [])
    assert matrix.changed("--dry-run") == (0, {})


@pytest.mark.parametrize("number", range(1, 9))
def test_a_rotation_killed_at_each_step_is_finished_by_the_next_run(matrix: MatrixLab, number: int) -> None:
    site = load_site(matrix.lab.inventory)
    (plan,) = rotation_plans(site, [SecretRef("redis-sentinel", "password")])
    assert len(plan.steps) == 8
    (before,) = _values(site, plan).values()
    _killed(matrix, "redis-sentinel", f"step {number} of 8")
    # From the second step on whoever looks is told; in the first one nothing may have been written yet.
    begun = [found.name for found in unfinished_rotations(site, kept_indexes(site.folder))]
    assert number == 1 or begun == ["redis-sentinel/password"]
    versions = _before(site, "redis-sentinel")
    code, report = matrix.flow("secrets", "rotate", "redis-sentinel", seconds=LONG)
    assert (code, wrong(report)) == (0, [])
    (kept,) = (found for ref, found in open_store(site).document("main").secrets.items() if ref in plan.refs)
    assert (kept.stage, kept.former[0].value.get_secret_value()) == (None, before)
    assert list(unfinished_rotations(site, kept_indexes(site.folder))) == []
    # All that a rotation writes is one version, whichever run wrote it.
    assert number == 1 or _before(site, "redis-sentinel") == versions
    assert matrix.changed("--dry-run") == (0, {})


def test_all_processes_are_stopped_before_they_get_another_secret(matrix: MatrixLab) -> None:
    site = load_site(matrix.lab.inventory)
    name = "synapse/worker_replication_secret"
    (plan,) = rotation_plans(site, chosen_refs(site, [name]))
    (replace,) = (number for number, step in enumerate(plan.steps, 1) if step.act is Act.REPLACE)
    _killed(matrix, name, f"step {replace} of {len(plan.steps)}")
    sets = matrix.objects("statefulsets", "-n", "matrix", "-l", "matrix-fleet.io/component=synapse")
    assert sets
    assert {found["spec"]["replicas"] for found in sets} == {0}
    code, report = matrix.flow("secrets", "rotate", name, seconds=LONG)
    assert (code, wrong(report)) == (0, [])
    assert matrix.changed("--dry-run") == (0, {})


def _killed(matrix: MatrixLab, name: str, when: str) -> None:
    """Begin a rotation and end it by force as soon as it says that it is there."""
    with subprocess.Popen(
        (*_ROTATE, name), env=matrix.lab.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stderr is not None
        written = []
        for line in run.stderr:
            written.append(line)
            if when in line:
                break
        # `lab run` becomes the flow itself: there is one process, and it is this one.
        run.send_signal(signal.SIGKILL)
        run.stderr.close()
    assert run.returncode == -signal.SIGKILL, "".join(written)


def _before(site: Site, name: str) -> list[str]:
    """Return the versions from before rotations of a secret."""
    return sorted(path.name for path in (site.folder / "secrets" / "former").glob(f"main-*-before-{name}.age"))


def _values(site: Site, plan: RotationPlan) -> dict[SecretRef, bytes]:
    store = open_store(site)
    return {ref: store.value(ref.name, ref.key) for ref in plan.refs}


def _is_tried(site: Site, name: str) -> bool:
    """Return whether somebody asks if the former value is refused; that is in the report only where nobody does."""
    return name not in ("s3-admin", "synapse/macaroon_secret_key") and (
        name != "synapse-signing-key" or site.settings.federation
    )
