"""Judgements of rules of others that decide about packets in ufw's stead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model.packets.known_rules import OF_A_CLUSTER


def strangers(deciding: Sequence[str], *, node: bool) -> tuple[str, ...]:
    """Return the rules that are of nobody the site knows; on a node its cluster's own tables are known."""
    return tuple(rule for rule in deciding if not (node and _of_a_cluster(rule)))


def foreign(deciding: Sequence[str], *, node: bool, shown: int) -> Iterator[str]:
    """Say which rules of others decide about packets, as many as are to be shown."""
    # The same rule of both families is told once.
    rules = list(dict.fromkeys(strangers(deciding, node=node)))
    if rules:
        more = f" and {len(rules) - shown} more" if len(rules) > shown else ""
        yield f"rules of others decide about packets: {'; '.join(rules[:shown])}{more}"


def _of_a_cluster(rule: str) -> bool:
    """Tell a rule of kube-proxy's or the pod network's native table: `nft [chain] FAMILY TABLE ...`."""
    words = rule.split()
    return words[0] == "nft" and words[3 if words[1] == "chain" else 2].startswith(OF_A_CLUSTER)
