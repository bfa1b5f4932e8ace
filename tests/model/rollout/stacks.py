"""Sites of every size and choice, rendered as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from model.checkout import ROOT
from model.rollout.graph import active
from model.rollout.invariants.stack import Stack
from model.rollout.render import MANIFESTS, Upstream, render_component
from model.rollout.rendered import RenderedComponent, SecretRef
from model.rollout.secret_facts import NO_FACTS, OldKey, SecretFacts
from model.site.hosts import Disk, Machine
from model.site.settings import Settings
from model.site.site import Site
from model.site.sizing import STEPS
from tests.model.rollout.switched import lab_site, switches
from tests.mutation import loaded

PUBLISHERS = ROOT / "tests" / "data" / "publishers"
ORGANISATION = ROOT / "tests" / "data" / "organisation"
DIGEST = "sha256:" + "0" * 64
ACME = {"method": "letsencrypt-http01", "email": "it@example.test"}
PARTNERS = {"domains": ["other.test"], "networks": ["198.51.100.0/24"]}
APNS = {"apns": {"app": "test.ios", "key_id": "A1B2C3D4E5", "team_id": "F6G7H8I9J0", "topic": "test.ios"}}
FIREBASE = {"firebase": {"app": "test.android", "project": "test-1"}}
TLS = {"method": "organisation", "certificate": "chain.pem", "private_key": "key.pem"}
# Of which templates say two values while one of them goes.
TWO_VALUES = (
    ("redis", "password"),
    ("redis-sentinel", "password"),
    ("s3-synapse", "access_key"),
    ("s3-synapse", "secret_key"),
)
DNS01 = {**ACME, "method": "letsencrypt-dns01", "dns01": {"rfc2136": {"nameserver": "10.20.1.1"}}}


def publisher(name: str) -> str:
    """Return the stand-in of a publisher's manifest."""
    return (PUBLISHERS / f"{name}.yaml").read_text("utf-8")


def site(changed: Callable[[Settings], Settings] = lambda settings: settings, drives: int = 0) -> Site:
    """Return the reference site with other settings; `drives`: disks for data that its servers declare."""
    known = with_digests(loaded())
    machines = tuple(with_disks(machine, drives) for machine in known.machines) if drives else known.machines
    return replace(known, settings=changed(known.settings), machines=machines)


def with_digests(known: Site) -> Site:
    """Return a site that says the digest of every image."""
    images = {name: image.model_copy(update={"digest": DIGEST}) for name, image in known.images.items()}
    return replace(known, application=replace(known.application, images=images))


def with_disks(machine: Machine, drives: int) -> Machine:
    """Return a machine with so many disks for databases and for objects."""
    disks = tuple(
        Disk(id=f"{machine.name}-{purpose}-{number}", gib=100, purpose=purpose)
        for purpose in ("database", "objects")
        for number in range(drives)
    )
    return replace(machine, data=machine.data.model_copy(update={"disks": disks}))


def changed(**settings: object) -> Callable[[Settings], Settings]:
    """Return what gives settings other values; those of a part are given as a mapping."""

    def change(known: Settings) -> Settings:
        plain = known.model_dump(mode="json")
        for name, value in settings.items():
            plain[name] = {**plain[name], **value} if isinstance(value, Mapping) else value
        return Settings.model_validate_json(_json(plain))

    return change


def _json(value: object) -> str:
    import json

    return json.dumps(value)


def render(known: Site, facts: SecretFacts = NO_FACTS, upstream: Upstream = publisher) -> Stack:
    """
    Render every component of a site; `facts` are what templates may know of its store, `upstream` are publishers' own
    manifests.
    """
    for component in active(known):
        assert (MANIFESTS / component.name).is_dir(), f"{component.name} has no templates"
    parts: tuple[RenderedComponent, ...] = tuple(
        render_component(known, component, None, upstream, facts=facts) for component in active(known)
    )
    return Stack(known, parts)


def organisation(**settings: object) -> Site:
    """Return a site in whose folder lie an organisation's certificate and its authority's."""
    return replace(site(changed(**settings)), folder=ORGANISATION)


def lab() -> Site:
    """Return the lab's site, with digests of images."""
    return with_digests(lab_site())


def largest() -> Site:
    """Return the site of the greatest size there is."""
    return site(changed(size="auto", concurrent_users=STEPS[-1]))


def _switched(base: Callable[[], Site]) -> dict[str, Callable[[], Site]]:
    """Return a site with each feature switched alone."""

    def made(switch: Mapping[str, object]) -> Callable[[], Site]:
        return lambda: replace(base(), settings=changed(features=switch)(base().settings))

    return {name: made(switch) for name, switch in switches(base().settings.features).items()}


SITES: Mapping[str, Callable[[], Site]] = {
    "small": site,
    "100": lambda: site(changed(size="auto", concurrent_users=100)),
    "20000": largest,
    "20000 with disks": lambda: site(changed(size="auto", concurrent_users=20_000), drives=2),
    "5000 with autoscaling": lambda: site(changed(size="auto", concurrent_users=5_000, features={"autoscaling": True})),
    "minio": lambda: site(changed(object_storage={"provider": "minio"}), drives=2),
    "external storage": lambda: site(
        changed(object_storage={"provider": "external", "endpoint": "https://s3.example.test"})
    ),
    "own ingress": lambda: site(changed(ingress={"controller": "organisation", "class_name": "theirs"})),
    "acme over http": lambda: site(changed(tls=ACME)),
    "acme over dns": lambda: site(changed(tls=DNS01)),
    "federation": lambda: site(changed(federation=True)),
    "federation with some": lambda: site(changed(federation=True, federation_partners=PARTNERS)),
    "mail without a login": lambda: site(changed(features={"smtp": True}, mail={"tls": "none", "login": False})),
    "mail at 5000": lambda: site(
        changed(size="auto", concurrent_users=5_000, features={"smtp": True, "push_notifications": True})
    ),
    "push gateway": lambda: site(changed(features={"push_notifications": True}, push={**APNS, **FIREBASE})),
    "push gateway of Apple's alone": lambda: site(changed(features={"push_notifications": True}, push=APNS)),
    "the organisation's certificate": lambda: organisation(tls=TLS),
    "authorities of others": lambda: organisation(
        federation=True, federation_partners={"ca": "ca.pem"}, features={"smtp": True}, mail={"ca": "ca.pem"}
    ),
    **_switched(site),
}
BASES: Mapping[str, Callable[[], Site]] = {"lab": lab, "20000": largest}
# On these the rules alone are tried: the lab's site, the sizes that are not above, and each feature switched alone in
# the lab and on the largest site. On the smallest, which is the reference site, they are switched above.
MORE_SITES: Mapping[str, Callable[[], Site]] = {
    "lab": lab,
    "1000": lambda: site(changed(size="auto", concurrent_users=1_000)),
    "10000": lambda: site(changed(size="auto", concurrent_users=10_000)),
    **{f"{word}, {name}": made for word, base in BASES.items() for name, made in _switched(base).items()},
}


@cache
def stack(name: str) -> Stack:
    """Return a rendered site of `SITES`; nobody may change it."""
    return render(SITES[name]())


@cache
def rotating() -> Stack:
    """Return the small site while each secret that templates know two values of is rotated."""
    windows = {SecretRef(name, key) for name, key in TWO_VALUES}
    key = OldKey(public="A" * 43, expires=datetime(2030, 1, 1, tzinfo=UTC))
    return render(site(), SecretFacts(windows=frozenset(windows), old_keys={"ed25519:a_old": key}))


def folder(path: Path, certificate: str) -> Site:
    """Return a site whose organisation brings its certificate."""
    (path / "chain.pem").write_text(certificate)
    return replace(site(changed(tls=TLS)), folder=path)


def found(name: str, kind: str, known: Site | None = None) -> list[dict[str, Any]]:
    """Return a component's objects of a kind, of the small site or another."""
    whole = stack("small") if known is None else render(known)
    part = next(part for part in whole.components if part.name == name)
    return [manifest for manifest in part.objects if manifest["kind"] == kind]


def files(name: str) -> dict[str, str]:
    """Return the configuration files of a component of the small site."""
    part = next(part for part in stack("small").components if part.name == name)
    return dict(part.files)
