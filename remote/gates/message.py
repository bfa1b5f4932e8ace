"""Does a message that one user sends reach another, encrypted too, from outside and from inside?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from zlib import crc32

from apps.message_probe.administration import Administration
from apps.message_probe.leftovers import Sweep, sweep
from apps.message_probe.media import Medium
from apps.message_probe.meeting import Pair
from apps.message_probe.probe import BRIEF, Findings, Wishes, converse_over, repeat
from apps.message_probe.series import SeriesResult
from model.report.outcome import Status
from remote.gates import stored_media
from remote.gates.gate import GateContext, GateResult
from remote.gates.pod import GatedPod
from remote.gates.public import Way, administration_origin, inside_way, outside_ways, own_ways, reached

CROSS = "try the gate again; `synapse` tells whether the processes of the pool `sync` are alike"
CLEAR = (
    "try the gate again; else deactivate these users and delete their rooms by Synapse's admin API, and delete these "
    "objects from the object storage"
)
# So many of what was taken away are named.
NAMED = 6
FIGURES = ("sent", "delivered", "lost_acknowledged", "gap_max_s", "latency_p50_ms", "latency_p99_ms")


def run(context: GateContext) -> GateResult:
    """
    Let two users talk over each way to the public name; with `every` and `for`, send a series over the first.

    Over every way they do all that users do. Over the first they say more, and what they upload is asked of each media
    pod; over the others it is looked for in the object storage alone. What former probes left is taken away before.
    """
    ways, unreached = _ways(context)
    if not ways:
        return GateResult(
            status=Status.FAILED,
            why=f"the public name is reached from nowhere: {'; '.join(unreached)}",
            next_step="look at the gate `ingress`",
        )
    secret = context.secret("synapse", "registration_shared_secret")
    administration = Administration(administration_origin(context), secret)
    swept = _swept(context, administration)
    if "every" in context.options:
        return swept_too(_series(context, ways[0], administration), swept)
    heard = _talked(context, ways, administration)
    return swept_too(judged(context, ways, heard, unreached), swept)


def _swept(context: GateContext, administration: Administration) -> Sweep:
    """Take away what former probes left, in the object storage, too."""
    swept = sweep(administration)
    stays = (f"left by a former probe: {words}" for words in stored_media.cleared(context, swept.media))
    return replace(swept, left=(*swept.left, *stays))


def swept_too(result: GateResult, swept: Sweep) -> GateResult:
    """Return a result that also says what of former probes was taken away; what could not be is a finding."""
    why = result.why
    if swept.taken:
        names = ", ".join(swept.taken[:NAMED]) + (f" and {more} more" if (more := len(swept.taken) - NAMED) > 0 else "")
        why = f"{why}; taken away, since former probes left it: {names}"
    if not swept.left:
        return replace(result, why=why)
    findings = (*result.findings, *swept.left)
    if result.status == Status.OK:
        return replace(
            result, status=Status.DRIFT, why=f"{swept.left[0]}; {why}", findings=findings,
            next_step=CLEAR,
        )  # fmt: skip
    return replace(result, why=why, findings=findings)


def _ways(context: GateContext) -> tuple[tuple[Way, ...], tuple[str, ...]]:
    """Return the ways that lead to the server, outside first, and in words those that do not."""
    asked = (*outside_ways(context), *own_ways(context))
    answers = {way.name: reached(way) for way in asked}
    good = tuple(way for way in asked if not answers[way.name])
    bad = tuple(f"{name}: {answer}" for name, answer in answers.items() if answer)
    return (*good, inside_way(context)), bad


def _talked(context: GateContext, ways: Sequence[Way], administration: Administration) -> tuple[Findings, ...]:
    def look(pair: Pair, medium: Medium) -> Iterable[str]:
        return stored_media.look(context, pair.receiver.account.token, medium)

    def look_again(_pair: Pair, medium: Medium) -> Iterable[str]:
        return stored_media.kept(context, medium)

    def begins(number: int) -> None:
        context.say(f"two users talk, encrypted and with media: {ways[number].name}")

    whole, brief = Wishes(messages=5, meanwhile=look), replace(BRIEF, meanwhile=look_again)
    heard = converse_over([way.origin for way in ways], administration, whole, brief, begins)
    names = process_names(stored_media.synapse_pods(context, "sync"), "sync")
    return tuple(replace(found, sync_servers=_named(found.sync_servers, names)) for found in heard)


def process_names(pods: Iterable[GatedPod], pool: str) -> dict[str, str]:
    """Return the pods' names by what the proxy calls their processes: the pool and a checksum of the address."""
    return {f"{pool}/{crc32(ip_address(text).packed)}": pod.name for pod in pods for text in pod.addresses}


def _named(servers: tuple[str, str], names: Mapping[str, str]) -> tuple[str, str]:
    return names.get(servers[0], servers[0]), names.get(servers[1], servers[1])


def judged(
    context: GateContext, ways: Sequence[Way], heard: Sequence[Findings], unreached: Sequence[str]
) -> GateResult:
    """Return what several conversations come to; a way from outside that is not reached is a finding."""
    wrong = [f"{way.name}: {failure}" for way, found in zip(ways, heard, strict=True) for failure in found.failures]
    wrong += [f"{way.name}: left behind: {left}" for way, found in zip(ways, heard, strict=True) for left in found.left]
    vantages = {machine.name for machine in context.site.vantages}
    outside = [words for words in unreached if words.partition(" ")[0] in vantages]
    wrong += [f"not reached from {words}" for words in outside]
    wrong += apart(context, heard)
    latencies = sorted(latency for found in heard for latency in found.message_ms)
    steps = _slowest(heard)
    sent = sum(found.acknowledged for found in heard)
    figures = {
        "sent": float(sent), "delivered": float(len(latencies)), "lost_acknowledged": float(sent - len(latencies)),
        "latency_p50_ms": _share(latencies, 0.5), "latency_p99_ms": _share(latencies, 0.99), **steps,
    }  # fmt: skip
    if wrong:
        return GateResult(
            status=Status.DRIFT, why=wrong[0], findings=tuple(wrong), figures=figures,
            next_step="the gates `synapse`, `routes` and `ingress` tell which part is meant",
        )  # fmt: skip
    if not any(way.outside for way in ways):
        nobody = "; ".join(unreached) or "no vantage host"
        why = f"messages arrive over {', '.join(way.name for way in ways)}; from outside nobody tried: {nobody}"
        return GateResult(status=Status.UNPROVEN, why=why, figures=figures, next_step="declare a vantage host")
    servers = _servers(heard)
    through = f", through {servers[0]} and {servers[1]}" if servers[0] else ""
    why = f"messages arrive, encrypted too, over {', '.join(way.name for way in ways)}{through}"
    if silent := [words for words in unreached if words not in outside]:
        why = f"{why}; not reached from {'; '.join(silent)}"
    if stored_media.instances(context, "sync") > 1 and not _crossed(servers):
        why = f"{why}: no message was seen to go from one process to another"
        return GateResult(status=Status.UNPROVEN, why=why, figures=figures, next_step=CROSS)
    return GateResult(status=Status.OK, why=why, figures=figures)


def _servers(heard: Sequence[Findings]) -> tuple[str, str]:
    """Return two processes between which a message went, over whichever way; else those of the first that names any."""
    named = [found.sync_servers for found in heard if any(found.sync_servers)]
    return next(filter(_crossed, named), named[0] if named else ("", ""))


def _crossed(servers: tuple[str, str]) -> bool:
    return all(servers) and servers[0] != servers[1]


def apart(context: GateContext, heard: Sequence[Findings]) -> list[str]:
    """Return what is wrong where two processes of a site that has several served nobody apart."""
    served = {server for found in heard for server in found.sync_servers if server}
    several = stored_media.instances(context, "sync") > 1
    if several and len(served) == 1:
        return [f"every sync was served by {next(iter(served))}: the other processes of its pool get nobody"]
    if several and not served:
        return ["the proxy does not say which process answers: no X-Matrix-Fleet-Pool in its answers"]
    return []


def _series(context: GateContext, way: Way, administration: Administration) -> GateResult:
    every, seconds = context.options["every"], context.options["for"]
    context.say(f"a message every {every:g} s for {seconds:g} s: {way.name}")

    def begins() -> None:
        context.say("the series begins: the first message is on its way")

    found = repeat(way.origin, administration, every, seconds, begins)
    if found.series is None:
        return GateResult(
            status=Status.FAILED, why=f"{way.name}: {'; '.join(found.failures)}", findings=found.failures,
            next_step="the series did not begin: try the gate without --every",
        )  # fmt: skip
    return series_judged(way, found.series, found.left)


def series_judged(way: Way, series: SeriesResult, left: Sequence[str]) -> GateResult:
    """Return what a series comes to: what was acknowledged must have arrived, and something must have."""
    findings = [f"acknowledged and never delivered: {event}" for event in series.lost]
    findings += [f"left behind: {text}" for text in left]
    disturbed = [f"{count}x {error}" for error, count in series.errors.most_common()]
    told = f"{way.name}: {series.delivered} of {series.sent} sent were delivered, longest gap {series.gap_max_s:g} s"
    status = Status.DRIFT if findings else Status.OK
    if not series.delivered:
        status, told = Status.FAILED, f"{told}; nothing arrived"
    elif status == Status.OK and not way.outside:
        status, told = Status.UNPROVEN, f"{told}; nobody outside took part"
    if disturbed:
        told += f"; disturbed: {'; '.join(disturbed[:5])}"
    if series.cut_after is not None:
        told += f"; interrupted after {series.cut_after:g} s"
    steps = {Status.OK: "", Status.UNPROVEN: "declare a vantage host in hosts.yaml, or mend its way here"}
    return GateResult(
        status=status, why=told, findings=(*findings, *disturbed), figures=series.figures,
        next_step=steps.get(status, "look at Synapse's and HAProxy's logs of that time"),
        interrupted=series.cut_after is not None,
    )  # fmt: skip


def _slowest(heard: Sequence[Findings]) -> dict[str, float]:
    """Return how long each kind of step took at most, in milliseconds, by a name that reports can have."""
    steps: dict[str, float] = {}
    for found in heard:
        for step in found.steps:
            name = step.name.replace(" ", "_").replace("-", "_").replace("'", "") + "_ms"
            steps[name] = max(steps.get(name, 0.0), round(step.seconds * 1000, 1))
    return steps


def _share(latencies: Sequence[float], share: float) -> float:
    if not latencies:
        return 0.0
    return round(latencies[min(len(latencies) - 1, int(share * len(latencies)))], 1)
