"""The way of a rollout: render, plan all, stop where the plan is unsafe, apply in order, report."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack

from flows._fleet.hosts import closing
from flows._fleet.inventory import inventory
from flows._rollout.component_work import ComponentWork
from flows._rollout.lacking import ended_for_images
from flows._rollout.material import Material, render, why_left_out
from flows._rollout.planned import plan
from flows._rollout.progress import RolloutProgress
from flows._rollout.results import ComponentResult, result_of
from flows._rollout.run import RolloutRequest, RolloutRun
from flows._rollout.schedule import run_in_order
from flows._rollout.staging import ImageStaging
from flows._rollout.store import SiteSecrets, site_secrets
from flows._rollout.synapse import check_synapse
from flows._run.context import Context, FlowResult
from flows._run.publish import CONTROLLER
from model.errors import FleetError, PlanRefused, SiteError
from model.matrix.pod_words import unspoken_words
from model.report.outcome import GOOD, REFUSED, Outcome, Status
from model.rollout.announced import undeployed
from model.rollout.changes import ChangeKind
from model.rollout.graph import active
from model.rollout.preview import bundle_step
from model.rollout.secret_facts import NO_FACTS, SecretFacts
from model.rollout.selection import chosen as choose
from model.site.components import Component
from model.site.site import Site
from tasks.rollout.declaring import Declaring
from tasks.rollout.keeping import ensure_namespace
from tasks.rollout.lease import cluster_lease
from tasks.rollout.live import LiveObjects, inventories
from tasks.secrets.store import SecretStore, open_store


def rollout(context: Context, request: RolloutRequest) -> FlowResult:
    """
    Bring the chosen components into the cluster, or say what would change.

    Raises `SiteError` for what cannot be rendered or has no secret, `LockHeld`, `KubernetesError`.
    """
    chosen = choose(context.site, request.components, request.phase)
    store = open_store(context.site)
    material = render(context, chosen, _facts(context, chosen, store, request.components), request.components)
    absent = [component for component in chosen if component.name in material.left_out]
    chosen = tuple(component for component in chosen if component not in absent)
    _reachable(context.site, chosen)
    if material.lacking:
        context.keep(*_imageless(context.site, absent, material))
        return ended_for_images(context, chosen, material)
    _whole(context, request, material)
    secrets = site_secrets(context, store)
    with ExitStack() as stack:
        run = _opened(context, request, chosen, material, secrets, stack)
        plan(run)
        _named_for_recreation(run)
        stopped = any(
            change.change in (ChangeKind.FOREIGN, ChangeKind.REFUSED)
            for result in run.results.values()
            for change in result.planned
        )
        context.keep(*secrets.outcomes, *_left_out(context.site, request), *_imageless(context.site, absent, material))
        if not stopped:
            staging = ImageStaging(run)
            staging.stage()
            context.keep(*staging.outcomes)
            checked = check_synapse(run)
            context.keep(*checked.outcomes)
            stopped = checked.refused
        if not context.options.dry_run and not stopped:
            _carry_out(run)
        return _result(run, REFUSED if stopped and not context.options.dry_run else GOOD)


def _reachable(site: Site, chosen: Sequence[Component]) -> None:
    closed = [f"{word} ({part.name})" for part in chosen for word in unspoken_words(site, part)]
    if closed:
        raise SiteError(
            f"ports.yaml: no row speaks of the pods {', '.join(closed)}: they would be closed to everybody",
            next_step="give rows these words in pod_from and pod_to, as the project's own inventory/ports.yaml does",
        )


def _facts(context: Context, chosen: Sequence[Component], store: SecretStore, named: Collection[str]) -> SecretFacts:
    """
    Read the site's store; where it cannot be read, what cannot be rendered with or without it is told first. (Images
    that the bundle lacks are not: they are told once it can.)
    """
    try:
        return store.facts()
    except FleetError:
        render(context, chosen, NO_FACTS, named)
        raise


def _whole(context: Context, request: RolloutRequest, material: Material) -> None:
    known = {*material.rendered, *material.left_out}
    lacking = [component.name for component in active(context.site) if component.name not in known]
    if request.prune and lacking:
        raise PlanRefused(
            f"--prune: what {', '.join(lacking)} renders is not known, so nothing can be said to be rendered no longer",
            next_step="correct what cannot be rendered first",
        )


def _named_for_recreation(run: RolloutRun) -> None:
    keys = {change.key for result in run.results.values() for change in result.planned}
    for word in sorted(run.request.recreate):
        if word not in run.results and not any(key.named_by(word) for key in keys):
            raise PlanRefused(
                f"--recreate {word}: nothing in this plan is called so",
                next_step="name a component, or an object as the plan does: Kind/NAMESPACE/NAME",
            )


def _left_out(site: Site, request: RolloutRequest) -> Iterator[Outcome]:
    """Name the features of which a rollout of everything brings nothing."""
    names = undeployed(site)
    if names and not request.components and request.phase is None:
        message = (
            f"{', '.join(names)}: on in site.yaml, and no component deploys them yet; their rows are open all the same"
        )
        step = "install what serves them by hand, or turn them off"
        yield Outcome(CONTROLLER, "features", Status.NOT_RUN, message, next=step)


def _imageless(site: Site, absent: Sequence[Component], material: Material) -> Iterator[Outcome]:
    """Name each component that was left out because nobody gave its image; what is in the cluster of it stays."""
    for component in absent:
        message = why_left_out(site, material.left_out[component.name])
        yield Outcome(CONTROLLER, component.name, Status.NOT_RUN, message, next=bundle_step(site))


def _opened(
    context: Context,
    request: RolloutRequest,
    chosen: Sequence[Component],
    material: Material,
    secrets: SiteSecrets,
    stack: ExitStack,
) -> RolloutRun:
    from remote.kube import open_cluster

    nr = inventory(context.options.inventory)
    stack.enter_context(closing(nr))
    cluster = stack.enter_context(open_cluster(nr, context.site))
    dry_run = context.options.dry_run
    lease = None if dry_run else stack.enter_context(cluster_lease(cluster))
    declaring = Declaring(secrets.value)
    declaring.fill(material.rendered.values(), {component.name for component in chosen})
    return RolloutRun(
        context=context,
        request=request,
        chosen=chosen,
        material=material,
        nr=nr,
        cluster=cluster,
        secret=secrets.value,
        declaring=declaring,
        inventories=inventories(cluster),
        live=LiveObjects(cluster),
        progress=RolloutProgress(context),
        veil=secrets.veil,
        lease=lease,
    )


def _carry_out(run: RolloutRun) -> None:
    ensure_namespace(run.cluster)

    def work(component: Component) -> bool:
        result = run.results[component.name]
        ComponentWork(run, component).work()
        _tell(run, result)
        return not result.failed

    def skip(component: Component, failed: str) -> None:
        result = run.results[component.name]
        result.status, result.why = Status.NOT_RUN, f"needs {failed}, which is not good"
        _tell(run, result)

    with run.progress.shown(len(run.results)):
        run_in_order(run.chosen, work, skip, run.stop)
        for component in run.departed:
            work(component)


def _tell(run: RolloutRun, result: ComponentResult) -> None:
    run.progress.doing(result.name, "")
    run.context.say(result.line(dry_run=False))


def _result(run: RolloutRun, forced: int) -> FlowResult:
    dry_run = run.dry_run
    results = list(run.results.values())
    if dry_run or forced:
        for result in results:
            run.context.say(result.line(dry_run=True))
    return result_of(run.context, results, dry_run=not forced and dry_run, forced=forced)
