"""Claims about allow-lists of homeservers, with two real ones: what either forbids, the gate of federation finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from remote.gates.federation import partner_wrongs, seen_from
from tests.remote.authority import Authority
from tests.remote.gates.test_federation_gate import Federating, federating


@pytest.fixture(scope="module")
def unequal(tmp_path_factory: pytest.TempPathFactory, real_synapse: None) -> Iterator[tuple[Federating, Federating]]:
    """One that federates with nobody it is told of, and one that does with everybody."""
    folder: Path = tmp_path_factory.mktemp("unequal")
    authority = Authority(folder)
    with (
        federating(folder / "narrow", authority, ("elsewhere.test",)) as narrow,
        federating(folder / "open", authority) as open_,
    ):
        yield narrow, open_


def test_a_partner_that_is_not_on_the_sites_list_is_found(unequal: tuple[Federating, Federating]) -> None:
    ours, theirs = unequal
    (found,) = partner_wrongs(ours.way.origin, theirs.name, ours.name)
    assert f"{theirs.name} is not reached, or does not take this homeserver's signature: HTTP 502" in found


def test_a_site_that_is_not_on_the_partners_list_is_found(unequal: tuple[Federating, Federating]) -> None:
    theirs, ours = unequal
    assert list(seen_from(ours.way, ours.name, ours.keys)) == []
    (found,) = partner_wrongs(ours.way.origin, theirs.name, ours.name)
    assert f"{theirs.name} is not reached, or does not take this homeserver's signature: HTTP" in found
