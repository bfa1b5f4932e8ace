"""How a cluster gets to another version while its services go on answering."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from flows._cluster.cluster_run import ClusterRun, at_work
from flows._cluster.outcomes import would
from flows._cluster.phases import network
from flows._cluster.upgrade.look import ClusterVersions, look, refuse
from flows._cluster.upgrade.node import change
from flows._fleet.hosts import run_on_hosts
from flows._run.context import Context, FlowResult
from flows._run.selection import roles, servers
from model.bundle.bundle import Bundle, load_bundle, verify
from model.errors import SiteError
from model.kubernetes.upgrade import numbers
from model.report.outcome import Outcome, Status
from tasks import kubeadm, upgrade

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from remote.kube import Cluster

_LONG = 3600.0
_BAD = (Status.FAILED, Status.MISSING)


def bring_up(context: Context, to_bundle: Path | None, parallel: int) -> FlowResult:
    """
    Bring the selected nodes to the versions of a bundle (None: the site's own): control planes first and one by one.

    Raises `PlanRefused` and `SiteError` before anything is changed.
    """
    from remote.kube import open_cluster

    folder, bundle = _bundle(context, to_bundle)
    names = tuple(name for name in servers(context) if context.site.by_name[name].node)
    planes = [machine.name for machine in context.site.control_planes]
    helper_hosts = tuple(name for name in planes if name not in names)
    with at_work(context, "upgrade", names, lock=True, helper_hosts=helper_hosts) as cluster_run, ExitStack() as stack:
        cluster_run.folder, cluster_run.bundle = folder, bundle
        cluster = stack.enter_context(open_cluster(cluster_run.nr, cluster_run.site, cluster_run.members or planes))
        _await_steps(cluster_run)
        seen = look(cluster_run, cluster)
        refuse(cluster_run, seen, bundle)
        cluster_run.journal.write("upgrade", "begun")
        left = [name for name in _order(cluster_run, seen) if seen.behind(name, bundle)]
        outcomes = [
            *_settled(cluster_run, seen, left, bundle),
            *_changed(cluster_run, cluster, seen, bundle, folder, left, parallel),
        ]
        cluster_run.journal.write(
            "upgrade", "ended", [outcome.host for outcome in outcomes if outcome.status is Status.CHANGED]
        )
        cluster_run.journal.write("upgrade", "ended")
        outcomes += _site(context, bundle)
    return FlowResult(tuple(outcomes), names, extra=roles(context.site))


def _bundle(context: Context, to_bundle: Path | None) -> tuple[Path, Bundle]:
    kubernetes = context.site.settings.kubernetes
    if kubernetes.packages == "apt":
        raise SiteError(
            "site.yaml: kubernetes.packages is apt, and flows.upgrade brings nodes to the versions of a bundle "
            "alone; upgrade node "
            "by node as docs/bootstrap.md says under `From repositories`, then name the new version in site.yaml"
        )
    if to_bundle is None and kubernetes.bundle is None:
        raise SiteError(
            "site.yaml: kubernetes.bundle names no bundle to upgrade to; name one there, or with --to-bundle"
        )
    folder = to_bundle or context.options.inventory / str(kubernetes.bundle)
    bundle = load_bundle(folder)
    with context.progress(len(bundle.items), "verifying the bundle") as advance:
        verify(folder, bundle, lambda _item: advance(1))
    return folder, bundle


def _await_steps(cluster_run: ClusterRun) -> None:
    """Let steps end that an earlier run left under way: they end by themselves."""
    running = tuple(name for name in cluster_run.hosts if cluster_run.facts[name].running)
    if running and not cluster_run.dry_run:
        cluster_run.context.say(f"waiting for what an earlier run left under way on {', '.join(running)}")
        run_on_hosts(cluster_run.nr, kubeadm.await_step, names=running, deadline=_LONG)


def _order(cluster_run: ClusterRun, seen: ClusterVersions) -> list[str]:
    """
    Control planes first; among them the one that a cut-short run was at, since the cluster's own record follows the
    first.
    """
    nodes = [name for name in cluster_run.hosts if name in seen.running]
    planes = [name for name in nodes if seen.running[name].plane]
    planes.sort(key=lambda name: numbers(seen.running[name].plane), reverse=True)
    return [*planes, *(name for name in nodes if name not in planes)]


def _settled(cluster_run: ClusterRun, seen: ClusterVersions, left: Sequence[str], bundle: Bundle) -> Iterator[Outcome]:
    for name in cluster_run.hosts:
        if name in seen.running and name not in left:
            yield Outcome(name, "upgrade", Status.OK, f"is at {bundle.kubernetes}")
        elif name not in seen.running:
            yield Outcome(name, "upgrade", Status.NOT_RUN, "is no node of the cluster yet; bootstrap lets it join")


def _changed(
    cluster_run: ClusterRun,
    cluster: Cluster,
    seen: ClusterVersions,
    bundle: Bundle,
    folder: Path,
    left: Sequence[str],
    parallel: int,
) -> list[Outcome]:
    if cluster_run.dry_run:
        return [would(name, "upgrade", "; ".join(seen.behind(name, bundle))) for name in left]
    if not left:
        return []
    staged = cluster_run.on_each(
        "stage", "staging the bundle", lambda host: _stage(cluster_run, bundle, folder, host), left, _LONG
    )
    if any(outcome.status in _BAD for outcome in staged):
        return list(staged)
    outcomes = list(staged)
    planes = [name for name in left if seen.running[name].plane]
    workers = [name for name in left if name not in planes]
    apply = numbers(seen.configured) != numbers(bundle.kubernetes)
    batches = [*((name,) for name in planes), *(workers[at : at + parallel] for at in range(0, len(workers), parallel))]
    for batch in batches:
        kind: upgrade.Kind = "apply" if apply and batch[0] in planes else "node"
        done = cluster_run.on_each(
            "upgrade", ", ".join(batch), _upgrade_one(cluster_run, cluster, seen, bundle, kind), batch, _LONG
        )
        outcomes += done
        if any(outcome.status in _BAD for outcome in done):
            waiting = [
                name
                for name in left
                if name not in {outcome.host for outcome in outcomes if outcome.subject == "upgrade"}
            ]
            outcomes += [Outcome(name, "upgrade", Status.NOT_RUN, f"waits for {batch[0]}") for name in waiting]
            return outcomes
        apply = False
    return [*outcomes, *network.pods(cluster_run)]


def _upgrade_one(
    cluster_run: ClusterRun, cluster: Cluster, seen: ClusterVersions, bundle: Bundle, kind: upgrade.Kind
) -> Callable[[Host], Outcome]:
    return lambda host: change(cluster_run, cluster, seen, bundle, host, kind)


def _stage(cluster_run: ClusterRun, bundle: Bundle, folder: Path, host: Host) -> Outcome:
    control_plane = cluster_run.site.by_name[host.name].node == "control_plane"
    count = upgrade.stage(host, folder, bundle, cluster_run.facts[host.name].suite, control_plane=control_plane)
    status = Status.CHANGED if count else Status.OK
    return Outcome(host.name, "stage", status, f"{count} files of {bundle.name} staged")


def _site(context: Context, bundle: Bundle) -> list[Outcome]:
    version = context.site.settings.kubernetes.version
    if version in (bundle.kubernetes, bundle.minor):
        return []
    message = (
        f"site.yaml still says kubernetes.version {version}: until it says {bundle.minor}, bootstrap refuses to "
        "work on these nodes"
    )
    return [Outcome("controller", "site", Status.NOT_RUN, message)]
