"""Synapse's configuration judged before the first write: by our rules, and by Synapse itself in its image."""

from __future__ import annotations

from flows._rollout.run import RolloutRun
from flows._run.publish import CONTROLLER
from model.errors import HostError
from model.report.outcome import Outcome, Status
from model.rollout.changes import WRITES
from model.rollout.staging import image_needs
from model.rollout.synapse.processes import Processes, processes
from model.rollout.synapse.routes import dumped
from model.rollout.values.haproxy import synapse_version
from model.rollout.values.synapse import NAMESPACE
from tasks import application_images
from tasks.application_images import PinnedReference
from tasks.rollout.synapse_check import SynapseVerdict, checked_in_image, judged_here

COMPONENT = "synapse"
_CORRECT = "correct templates/manifests/synapse, or the setting of the site that it comes from"
_ROUTES = "keep what apps/route_dump/route_dump.py prints in this image beside the others in model/rollout/synapse"
_NODE = "look at the node: the same image must start there as a pod"


def check_synapse(run: RolloutRun) -> tuple[Outcome, ...]:
    """
    Judge what Synapse would be given if any of it changes; the component fails where something is wrong.

    In a dry run an image that is on no node yet is not asked, and that is said.
    """
    result = run.results.get(COMPONENT)
    if result is None or not any(change.change in WRITES for change in result.planned):
        return ()
    rendered = run.material.rendered[COMPONENT]
    version, running = synapse_version(run.context.site), processes(run.context.site.settings, NAMESPACE)
    verdicts = [judged_here(rendered, running, version)]
    outcomes: list[Outcome] = []
    if host := _host(run):
        verdicts.append(_asked(run, host, running, version))
    elif run.dry_run:
        words = "Synapse's own check did not run: its image is on no node yet"
        outcomes.append(Outcome(CONTROLLER, f"{COMPONENT}/check", Status.NOT_RUN, words))
    else:
        verdicts.append(SynapseVerdict(unproven=("Synapse's own check did not run: its image came to no node",)))
    wrong = [outcome for verdict in verdicts for outcome in _outcomes(verdict)]
    if wrong:
        result.status, result.why = Status.FAILED, wrong[0].message
        result.failures += wrong
    return tuple(outcomes)


def _asked(run: RolloutRun, host: str, running: Processes, version: str) -> SynapseVerdict:
    rendered = run.material.rendered[COMPONENT]
    run.context.say(f"{COMPONENT}: asking Synapse {version} on {host} about its configuration")
    return checked_in_image(
        run.nr.inventory.hosts[host],
        PinnedReference(rendered.images[0]),
        rendered,
        running,
        dumped(version),
        run.context.options.inventory / "state",
    )


def _host(run: RolloutRun) -> str:
    """Return a node that has the image, empty where none has."""
    rendered = run.material.rendered[COMPONENT]
    needs = image_needs(run.context.site, [rendered])
    for name in dict.fromkeys(host for need in needs for host in need.hosts):
        host = run.nr.inventory.hosts.get(name)
        try:
            if host is not None and not application_images.missing(host, rendered.images):
                return name
        except HostError:
            continue
    return ""


def _outcomes(verdict: SynapseVerdict) -> list[Outcome]:
    groups = (
        (verdict.complaints, Status.FAILED, _CORRECT),
        (verdict.routes, Status.FAILED, _ROUTES),
        (verdict.unproven, Status.UNPROVEN, _NODE),
    )
    return [
        Outcome(CONTROLLER, f"{COMPONENT}/check", status, sentence, next=step)
        for sentences, status, step in groups
        for sentence in sentences
    ]
