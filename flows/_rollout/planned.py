"""The plan of all components, made before the first write."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from flows._rollout.results import ComponentResult
from flows._rollout.run import RolloutRun
from model.kubernetes.manifests import Manifest
from model.report.outcome import Status
from model.rollout.changes import WRITES, ChangeKind, ObjectChange
from model.rollout.inventory import may_go
from model.rollout.keys import ObjectKey
from model.site.components import Component
from tasks.rollout.planning import Planner

_SIDE_BY_SIDE = 4


def plan(run: RolloutRun) -> None:
    """Plan every chosen component and put it into the run's results; all are planned before any is judged."""
    run.context.say(f"planning {len(run.chosen)} components")
    declared = {component.name: run.declaring.declared(component.name) for component in run.chosen}
    run.live.learn(entry.manifest for entries in declared.values() for entry in entries)
    rules = run.rules()

    def planned(component: Component) -> tuple[ObjectChange, ...]:
        planner = Planner(run.cluster, run.live, run.kept(component.name), rules)
        return planner.plan(declared[component.name])

    with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="plan") as pool:
        for component, changes in zip(run.chosen, pool.map(planned, run.chosen), strict=True):
            result = ComponentResult(component=component, planned=(*changes, *leftovers(run, component.name)))
            result.status, result.why = _judged(result)
            run.results[component.name] = result
    for component in run.departed:
        result = ComponentResult(component=component, planned=leftovers(run, component.name))
        result.status, result.why = _judged(result)
        run.results[component.name] = result


def leftovers(run: RolloutRun, component: str) -> tuple[ObjectChange, ...]:
    """Return what a component put into the cluster once and no component renders any more."""
    material = run.material
    parts = (*material.rendered.values(), *(shown.rendered for shown in material.left_out.values()))
    ours = {key for rendered in parts for key in rendered.keys}
    kept = run.kept(component).entries
    return tuple(_leftover(run, component, key, kept[key].version) for key in sorted(kept) if key not in ours)


def _leftover(run: RolloutRun, component: str, key: ObjectKey, version: str) -> ObjectChange:
    meta = {"name": key.name} | ({"namespace": key.namespace} if key.namespace else {})
    manifest: Manifest = {"apiVersion": version, "kind": key.kind, "metadata": meta}
    change, note = ChangeKind.PRUNED, ""
    if not run.request.prune:
        change, note = ChangeKind.KEPT, "rendered no longer; `--prune` deletes it"
    elif not may_go(key, run.request.recreate):
        change, note = ChangeKind.KEPT, f"rendered no longer, and kept: only `--prune --recreate {key.word}` deletes it"
    lines = (f"- {key}",) if change is ChangeKind.PRUNED else ()
    notes = (note,) if note else ()
    return ObjectChange(component=component, key=key, manifest=manifest, change=change, lines=lines, notes=notes)


def _judged(result: ComponentResult) -> tuple[Status, str]:
    kinds = {change.change for change in result.planned}
    if ChangeKind.REJECTED in kinds:
        first = next(change for change in result.planned if change.change is ChangeKind.REJECTED)
        return Status.FAILED, f"{first.key}: {'; '.join(first.notes)}"
    if kinds & {ChangeKind.FOREIGN, ChangeKind.REFUSED}:
        return Status.DRIFT, "stopped by what the plan found"
    return (Status.DRIFT if kinds & WRITES else Status.OK), ""
