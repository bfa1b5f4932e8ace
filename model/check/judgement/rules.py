"""Judgements of rules of others that decide about packets in ufw's stead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model.check.finding import Finding, Verdict
from model.packets.known_rules import of_a_cluster
from model.packets.ruling import Ruling
from model.ufw.foreign_rules import removal_of


def strangers(rules: Sequence[str], *, node: bool) -> tuple[str, ...]:
    """Return the rules that are of nobody the site knows; on a node its cluster's own tables are known."""
    return tuple(rule for rule in rules if not (node and _of_a_cluster(rule)))


def foreign(early: Sequence[Ruling], deciding: Sequence[str], *, node: bool, shown: int) -> Iterator[Finding]:
    """
    Say which rules of others decide about packets, as many as are to be shown, and how the first is taken away; `early`
    are those on the way to the host's firewall.
    """
    # The same rule of both families is told once.
    rules = list(dict.fromkeys((*(ruling.words for ruling in early), *strangers(deciding, node=node))))
    if rules:
        more = f" and {len(rules) - shown} more" if len(rules) > shown else ""
        step = early[0].rule.removal if early else removal_of(rules[0])
        yield Finding(
            f"rules of others decide about packets: {'; '.join(rules[:shown])}{more}",
            f"find what sets them there and stop that, then `{step}`",
        )


def judged(early: Sequence[Ruling], deciding: Sequence[str], *, node: bool, shown: int) -> Verdict:
    """Return that as a verdict."""
    rules = [*(ruling.words for ruling in early), *strangers(deciding, node=node)]
    findings = tuple(foreign(early, deciding, node=node, shown=shown))
    return Verdict("" if findings else "nobody else's rules decide about packets", {"rules": rules}, findings)


def _of_a_cluster(rule: str) -> bool:
    """Tell a rule of kube-proxy's or the pod network's native table: `nft [chain] FAMILY TABLE ...`."""
    words = rule.split()
    return words[0] == "nft" and of_a_cluster(words[3 if words[1] == "chain" else 2])
