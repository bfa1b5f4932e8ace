"""The walk of a row of ports.yaml, module by module: its words, and the picture of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flows._render.words import table
from model.site.site import Site


@dataclass(frozen=True, slots=True)
class WalkWord:
    """One thing that a row becomes: its word, the function or class to read, and what the word means."""

    word: str
    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class WalkModule:
    """A module that the walk visits once, what it makes, and those modules of the walk that it stands on."""

    module: str
    way: str
    words: tuple[WalkWord, ...]
    stands_on: tuple[str, ...] = ()


_BOTH, _RULE, _PROBE, _CELL = "the row", "to a ufw rule", "to a probe", "to a cell"
WAYS = (_BOTH, _RULE, _PROBE, _CELL)

# In the order of the walk: a module stands on earlier ones alone.
WALK = (
    WalkModule(
        "model.site.rows",
        _BOTH,
        (WalkWord("row", "Row", "one entry of `ports.yaml`: who may reach whom, on which ports, and why"),),
    ),
    WalkModule(
        "model.matrix.matrix",
        _BOTH,
        (
            WalkWord(
                "host rule", "host_rules", "what a row means for the INPUT of one host: admit or refuse a network"
            ),
            WalkWord(
                "opening", "openings", "the ports that one source may reach at one address, and the rows that say so"
            ),
        ),
        ("model.site.rows",),
    ),
    WalkModule(
        "model.ufw.state",
        _RULE,
        (
            WalkWord(
                "ufw rule",
                "desired_rules",
                "a host rule as ufw keeps it; equal ones are joined, the comment names the rows",
            ),
            WalkWord("ufw state", "desired_state", "everything of ufw's on one host: kernel, files, start at boot"),
        ),
        ("model.matrix.matrix",),
    ),
    WalkModule(
        "model.ufw.change",
        _RULE,
        (WalkWord("change", "change", "what leads from one ufw state to another, and back"),),
        ("model.ufw.state",),
    ),
    WalkModule(
        "model.ufw.plan",
        _RULE,
        (
            WalkWord(
                "plan",
                "plan",
                "the two ufw states of one host, the change, its undoing, and the diff that a person reads",
            ),
        ),
        ("model.ufw.state", "model.ufw.change"),
    ),
    WalkModule(
        "model.ufw.review",
        _RULE,
        (
            WalkWord(
                "review",
                "review",
                "all that is to be known before a host is touched: plan, refusal, own rules, findings",
            ),
        ),
        ("model.ufw.state", "model.ufw.plan"),
    ),
    WalkModule(
        "tasks.firewall",
        _RULE,
        (WalkWord("applied plan", "apply", "the plan carried out on a host under a rollback, proven and read back"),),
        ("model.ufw.state", "model.ufw.change", "model.ufw.plan"),
    ),
    WalkModule(
        "flows._firewall.change",
        _RULE,
        (WalkWord("prepared host", "prepare", "a host looked at and reviewed, its lock held"),),
        ("model.ufw.plan", "model.ufw.review", "tasks.firewall"),
    ),
    WalkModule(
        "model.verify.pairs",
        _PROBE,
        (WalkWord("pair", "pairs", "one source and one address, with the openings between them"),),
        ("model.site.rows", "model.matrix.matrix"),
    ),
    WalkModule(
        "model.verify.probed_ports",
        _PROBE,
        (
            WalkWord(
                "probed ports",
                "with_ports",
                "the ports that a pair tries, by depth; those that must be closed are among them",
            ),
        ),
        ("model.matrix.matrix", "model.verify.pairs"),
    ),
    WalkModule(
        "flows._ports.choice",
        _PROBE,
        (WalkWord("chosen pairs", "choose", "the pairs that a run looks at, and the controls beside them"),),
        ("model.verify.pairs", "model.verify.probed_ports"),
    ),
    WalkModule(
        "model.verify.probing",
        _PROBE,
        (
            WalkWord("stream", "SentStream", "all probes of one source at one address by one protocol"),
            WalkWord("record", "AgentRecords", "what a source sent and what a witness saw, stream by stream"),
        ),
    ),
    WalkModule(
        "model.verify.assignments",
        _PROBE,
        (WalkWord("assignment", "assignments", "all that one source fires: its targets and their ports"),),
        ("model.verify.pairs", "model.verify.probing"),
    ),
    WalkModule(
        "remote.probe.session",
        _PROBE,
        (
            WalkWord(
                "probe", "SourceSession", "one tagged packet; an agent that fires is a source, one that looks a witness"
            ),
        ),
        ("model.verify.probing",),
    ),
    WalkModule(
        "flows._ports.agent_pool",
        _PROBE,
        (
            WalkWord(
                "agent", "AgentPool", "the program that fires or looks at one end; the pool drives all of them in step"
            ),
        ),
        ("model.verify.pairs", "model.verify.probing", "model.verify.assignments", "remote.probe.session"),
    ),
    WalkModule(
        "model.verify.evidence",
        _CELL,
        (
            WalkWord(
                "evidence",
                "join",
                "the records of both ends of a stream laid side by side: sent, arrived, passed, reply",
            ),
        ),
        ("model.verify.pairs", "model.verify.probing"),
    ),
    WalkModule(
        "flows._ports.probe_run",
        _CELL,
        (
            WalkWord(
                "probe run", "run_probes", "agents opened, probes fired, what is missing sent again, agents closed"
            ),
        ),
        ("model.verify.pairs", "model.verify.probing", "flows._ports.agent_pool", "model.verify.evidence"),
    ),
    WalkModule(
        "model.verify.facts",
        _CELL,
        (
            WalkWord(
                "facts",
                "FleetFacts",
                "what is known of a stream beside packets: rules, listeners, Services, who is proven",
            ),
        ),
        ("model.verify.pairs", "model.verify.evidence"),
    ),
    WalkModule(
        "model.verify.classes",
        _CELL,
        (
            WalkWord(
                "classification",
                "Classification",
                "what a set of ports comes to: expected, seen, verdict, culprit, note",
            ),
        ),
    ),
    WalkModule(
        "model.verify.verdicts",
        _CELL,
        (
            WalkWord(
                "verdict", "classify", "ok, violation or unproven: evidence and facts laid beside what is expected"
            ),
        ),
        ("model.verify.pairs", "model.verify.evidence", "model.verify.facts", "model.verify.classes"),
    ),
    WalkModule(
        "model.report.report",
        _CELL,
        (WalkWord("cell", "Cell", "consecutive ports of one declared interval of a pair with one classification"),),
    ),
    WalkModule(
        "model.verify.cells",
        _CELL,
        (WalkWord("port run", "PortRun", "consecutive ports on their way to become a cell"),),
        (
            "model.site.rows",
            "model.verify.pairs",
            "model.verify.evidence",
            "model.verify.classes",
            "model.report.report",
        ),
    ),
    WalkModule(
        "model.verify.verification",
        _CELL,
        (WalkWord("verification", "Verification", "all cells of a run, and where rules, packets and matrix disagree"),),
        (
            "model.verify.pairs",
            "model.verify.evidence",
            "model.verify.facts",
            "model.verify.verdicts",
            "model.report.report",
            "model.verify.cells",
        ),
    ),
    WalkModule(
        "flows._ports.results",
        _CELL,
        (WalkWord("results", "results_of", "cells with the site's waivers applied, and an outcome for every host"),),
        (
            "model.site.rows",
            "flows._ports.choice",
            "flows._ports.probe_run",
            "model.report.report",
            "model.verify.verification",
        ),
    ),
    WalkModule(
        "flows._ports.verification",
        _CELL,
        (WalkWord("run", "verify", "the whole of it, from the first observation to the report"),),
        (
            "flows._ports.choice",
            "flows._ports.probe_run",
            "model.verify.facts",
            "model.verify.verification",
            "flows._ports.results",
        ),
    ),
)


def picture(_site: Site) -> str:
    """Return the walk as a Mermaid flowchart: an arrow leads from a module to one that imports it."""
    return "\n".join(["```mermaid", "flowchart TD", *_boxes(WALK), *_arrows(WALK), "```"])


def words(_site: Site) -> str:
    """Return the walk's words with what they mean and where each is made."""
    lines = [
        (f"**{word.word}**", word.meaning, f"`{module.module}.{word.name}`") for module in WALK for word in module.words
    ]
    return table(("word", "what it means", "made by"), lines)


def _boxes(modules: Sequence[WalkModule]) -> Iterator[str]:
    for way in WAYS:
        yield f'    subgraph {way.replace(" ", "_")}["{way}"]'
        for module in (module for module in modules if module.way == way):
            label = ", ".join(word.word for word in module.words)
            yield f'        {_id(module.module)}["{label}<br/>{module.module}"]'
        yield "    end"


def _arrows(modules: Sequence[WalkModule]) -> Iterator[str]:
    for module in modules:
        for below in module.stands_on:
            yield f"    {_id(below)} --> {_id(module.module)}"


def _id(module: str) -> str:
    return module.replace(".", "_")
