"""Synapse judged before the first write, by our rules and in its image: its configuration, and what it serves where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flows._rollout.results import ComponentResult
from flows._rollout.run import RolloutRun
from flows._run.publish import CONTROLLER
from model.errors import HostError
from model.report.outcome import Outcome, Status, warn
from model.rollout.changes import WRITES
from model.rollout.staging import image_needs
from model.rollout.synapse.processes import processes
from model.rollout.synapse.routes import dumped
from model.rollout.values.haproxy import synapse_version
from model.rollout.values.synapse import NAMESPACE
from tasks import application_images
from tasks.application_images import PinnedReference
from tasks.rollout.synapse_check import ImageQuestion, SynapseVerdict, checked_in_image, judged_here

COMPONENT, PROXY = "synapse", "haproxy"
_CORRECT = "correct templates/manifests/synapse, or the setting of the site that it comes from"
_NODE = "look at the node: the same image must start there as a pod"
_FOLDER = "model/rollout/synapse"
_SETTINGS = (
    "keep those of its sources: `python3 apps/setting_dump/setting_dump.py {version} "
    f"schema/synapse-config.schema.yaml > {_FOLDER}/settings-{{version}}.json`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SynapseCheck:
    """Outcomes of no object; `refused`: HAProxy's maps would lead requests to nobody, so nothing may be written."""

    outcomes: tuple[Outcome, ...] = ()
    refused: bool = False


def check_synapse(run: RolloutRun) -> SynapseCheck:
    """
    Judge what Synapse would be given if any of it changes; the component fails where something is wrong. What its image
    serves is compared with HAProxy's maps if any of either changes.

    In a dry run an image that is on no node yet is not asked, and that is said.
    """
    synapse, proxy = (_changing(run, name) for name in (COMPONENT, PROXY))
    if synapse and synapse.failed:
        # By an image that did not come: that is what is to be told.
        synapse = None
    if (synapse is None and proxy is None) or COMPONENT not in run.material.rendered:
        return SynapseCheck()
    question = _question(run)
    here = judged_here(question.component, question.running, question.version) if synapse else SynapseVerdict()
    asked, unasked = _asked(run, question, for_pods=synapse is not None)
    outcomes = (*unasked, *_doubts(here, question), *_differences(asked, question))
    wrong = [outcome for verdict in (here, asked) for outcome in _wrong(verdict)]
    refusals = _refusals(asked)
    if synapse and wrong:
        synapse.status, synapse.why = Status.FAILED, wrong[0].message
        synapse.failures += wrong
    elif wrong:
        # Only the proxy changes: what Synapse has against its own files is for the run that changes those.
        outcomes += tuple(outcome for outcome in wrong if outcome.status is Status.UNPROVEN)
    for result in filter(None, (synapse, proxy)):
        if refusals and not result.failed:
            result.status, result.why = Status.DRIFT, refusals[0].message
    return SynapseCheck(outcomes=(*outcomes, *refusals), refused=bool(refusals))


def _changing(run: RolloutRun, name: str) -> ComponentResult | None:
    result = run.results.get(name)
    return result if result and any(change.change in WRITES for change in result.planned) else None


def _question(run: RolloutRun) -> ImageQuestion:
    rendered, version = run.material.rendered[COMPONENT], synapse_version(run.context.site)
    return ImageQuestion(
        image=PinnedReference(rendered.images[0]),
        version=version,
        component=rendered,
        running=processes(run.context.site.settings, NAMESPACE),
        table=dumped(version),
    )


def _asked(run: RolloutRun, question: ImageQuestion, *, for_pods: bool) -> tuple[SynapseVerdict, tuple[Outcome, ...]]:
    """Return what the image answers; no answer is wrong where it is about to run, and said in words where it is not."""
    if host := _host(run):
        run.context.say(f"{COMPONENT}: asking Synapse {question.version} on {host} about its configuration")
        state = run.context.options.inventory / "state"
        return checked_in_image(run.nr.inventory.hosts[host], question, state), ()
    if for_pods and not run.dry_run:
        return SynapseVerdict(unproven=("Synapse's own check did not run: its image came to no node",)), ()
    words = "Synapse's own check did not run: its image is on no node yet"
    return SynapseVerdict(), (Outcome(CONTROLLER, f"{COMPONENT}/check", Status.NOT_RUN, words),)


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


def _wrong(verdict: SynapseVerdict) -> Iterator[Outcome]:
    groups = ((verdict.complaints, Status.FAILED, _CORRECT), (verdict.unproven, Status.UNPROVEN, _NODE))
    for sentences, status, step in groups:
        for sentence in sentences:
            yield Outcome(CONTROLLER, f"{COMPONENT}/check", status, sentence, next=step)


def _doubts(verdict: SynapseVerdict, question: ImageQuestion) -> Iterator[Outcome]:
    for sentence in verdict.doubts:
        yield warn(CONTROLLER, f"{COMPONENT}/settings", sentence, _SETTINGS.format(version=question.version))


def _differences(verdict: SynapseVerdict, question: ImageQuestion) -> Iterator[Outcome]:
    """Yield what the image serves otherwise; what nobody routes goes to main, which serves everything."""
    for sentence in verdict.routes:
        words = f"{sentence} (HAProxy's maps are made from the routes of {question.table.version})"
        yield warn(CONTROLLER, f"{COMPONENT}/routes", words, _keep(verdict))


def _refusals(verdict: SynapseVerdict) -> tuple[Outcome, ...]:
    return tuple(
        Outcome(CONTROLLER, f"{COMPONENT}/routes", Status.DRIFT, sentence, next=_keep(verdict))
        for sentence in verdict.misrouted
    )


def _keep(verdict: SynapseVerdict) -> str:
    return f"keep the image's own table: `cp {verdict.dump} {_FOLDER}/`, then run again"
