"""What packets, rules and listeners together say of the whole site: cells for every pair, and where they disagree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from model.packets.port_ranges import ranges
from model.packets.ruling import NamedRule
from model.report.outcome import Outcome, Status
from model.report.report import Cell
from model.verify.cells import cells
from model.verify.evidence import StreamEvidence
from model.verify.facts import FleetFacts, StreamFacts
from model.verify.pairs import EVERY_PORT, PROTOCOLS, Pair
from model.verify.rule_verdicts import contradictions
from model.verify.verdicts import classify
from model.verify.vrrp_rows import vrrp_cells

_SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The pairs of a run and all that is known of them; `coverage`: the ports that cells speak of, None for all."""

    facts: FleetFacts
    pairs: Sequence[Pair]
    coverage: Mapping[str, int] | None = None

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Cells of every pair and protocol, then those that only rules can judge."""
        probed = [cell for pair in self.pairs for protocol in PROTOCOLS for cell in self._cells(pair, protocol)]
        return (*probed, *vrrp_cells(self.facts, self.pairs))

    def _cells(self, pair: Pair, protocol: str) -> Iterator[Cell]:
        coverage = EVERY_PORT if self.coverage is None else self.coverage.get(protocol, 0)
        evidence, known = self._known(pair, protocol)
        if pair.probed.get(protocol, 0) or known.ingress:
            yield from cells(pair, protocol, classify(pair, protocol, evidence, known), evidence, coverage)

    def _known(self, pair: Pair, protocol: str) -> tuple[StreamEvidence, StreamFacts]:
        evidence, known = self.facts.evidence.of(pair, protocol), self.facts.of(pair, protocol)
        return (evidence.beside(known.ingress.refused) if known.ingress else evidence), known

    @cached_property
    def disagreements(self) -> tuple[Outcome, ...]:
        """Where a host's rules say one thing and its packets or the matrix another, in one outcome a host."""
        disagreeing: dict[str, list[str]] = {}
        rules: dict[str, dict[NamedRule, None]] = {}
        for pair in self.pairs:
            for protocol in PROTOCOLS:
                for line in self._disagrees(pair, protocol):
                    disagreeing.setdefault(pair.destination, []).append(line)
                rules.setdefault(pair.destination, {}).update(dict.fromkeys(self._culprits(pair, protocol)))
        return tuple(
            Outcome(
                host,
                "ruleset",
                Status.DRIFT,
                _summed("rules, matrix and packets disagree", lines),
                next=_next(host, tuple(rules[host])),
                evidence=[*lines, *(f"by the rule {rule.words}" for rule in rules[host])],
            )
            for host, lines in disagreeing.items()
        )

    def _culprits(self, pair: Pair, protocol: str) -> Iterator[NamedRule]:
        """Yield the rules beside the destination's firewall by which its ports are not what the matrix says."""
        known = self.facts.of(pair, protocol).ingress
        opened = pair.open(protocol)
        for ruling in known.rulings if known else ():
            harmless = ruling.effect == "refuses" or ruling.landing == "refuse"
            if ruling.ports & EVERY_PORT & (opened if harmless else EVERY_PORT):
                yield ruling.rule

    def _disagrees(self, pair: Pair, protocol: str) -> Iterator[str]:
        evidence, known = self._known(pair, protocol)
        if known.ingress is None:
            return
        opened = pair.open(protocol)
        flow = f"{protocol} from {pair.source} to {pair.address}"
        yield from _lines(
            "rules admit, no row opens", known.ingress.admitted & EVERY_PORT & ~opened & ~pair.tolerated(protocol), flow
        )
        yield from _lines("rules refuse, a row opens", known.ingress.refused & opened, flow)
        yield from _lines("rules cannot be judged", known.ingress.uncertain & EVERY_PORT, flow)
        for ruling in known.ingress.rulings:
            if ruling.effect == "leads":
                wrong = ruling.ports & EVERY_PORT & (opened if ruling.landing == "refuse" else EVERY_PORT)
                yield from _lines(f"a rule leads to {ruling.to}", wrong, flow)
        dropped, passed = contradictions(pair, protocol, evidence, known)
        # What was translated on the way arrived as another flow than the one the rules were asked about.
        dropped &= 0 if known.fault else ~evidence.translated
        yield from _lines("rules admit, packets were dropped", dropped, flow)
        yield from _lines("rules refuse, packets passed", passed, flow)


def _lines(what: str, ports: int, flow: str) -> Iterator[str]:
    if ports:
        yield f"{what}: {flow}: {ranges(ports, _SHOWN)}"


def _next(host: str, rules: Sequence[NamedRule]) -> str:
    if not rules:
        return f"run `python -m flows.firewall --dry-run --limit {host}`, then without --dry-run"
    more = f", and {len(rules) - 1} more as the report has them" if len(rules) > 1 else ""
    return f"find what set it on {host} and stop that, then `{rules[0].removal}` there{more}"


def _summed(what: str, lines: Sequence[str]) -> str:
    more = f"; and {len(lines) - 1} more in the report" if len(lines) > 1 else ""
    return f"{what}: {lines[0]}{more}"
