"""A site has the gates of its components, and those of the features that it has."""

from __future__ import annotations

from model.rollout.gates import places
from tests.model.rollout.stacks import SITES, changed, site

OPTIONAL = {"federation", "mail", "push"}


def test_gates_of_features_come_with_them() -> None:
    assert not OPTIONAL & {place.gate for place in places(site())}
    on = {(place.gate, place.component) for place in places(site(changed(federation=True, features={"smtp": True})))}
    assert {("federation", "haproxy"), ("mail", "haproxy")} <= on
    assert ("push", "sygnal") in {(place.gate, place.component) for place in places(SITES["push gateway"]())}
