"""What each source fires, and what each witness must look for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from model.verify.pairs import PROTOCOLS, Pair
from model.verify.probing import Assignment, ExpectedStream, ProbeTarget


def assignments(chosen: Iterable[Pair], requests: Mapping[str, Mapping[int, str]]) -> tuple[Assignment, ...]:
    """
    Turn pairs into what each source fires. `requests` holds, by destination, the harmless question for a UDP port where
    something listens.
    """
    targets: dict[str, list[ProbeTarget]] = {}
    speaks: dict[str, dict[str, None]] = {}
    for pair in chosen:
        tcp, udp = (pair.probed.get(protocol, 0) for protocol in PROTOCOLS)
        if tcp or udp:
            asked = requests.get(pair.destination, {})
            targets.setdefault(pair.source, []).append(
                ProbeTarget(pair.destination, str(pair.address), tcp, udp, asked)
            )
            speaks.setdefault(pair.source, {})[str(pair.source_address)] = None
    return tuple(Assignment(source, tuple(speaks[source]), tuple(probed)) for source, probed in targets.items())


def expected_at(
    planned: Iterable[Assignment], addresses: Collection[str], external: Collection[str] = ()
) -> tuple[ExpectedStream, ...]:
    """
    Return what the witness that holds `addresses` must look for.

    That includes external addresses, since NAT may lead those anywhere.
    """
    return tuple(
        ExpectedStream(assignment.source, assignment.source_addresses, target.address, target.tcp, target.udp)
        for assignment in planned
        for target in assignment.targets
        if target.address in addresses or target.address in external
    )
