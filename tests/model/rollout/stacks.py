"""Sites of every size and choice, rendered as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from model.checkout import ROOT
from model.rollout.graph import active
from model.rollout.invariants.stack import Stack
from model.rollout.render import MANIFESTS, render_component
from model.rollout.rendered import RenderedComponent
from model.site.hosts import Disk, Machine
from model.site.settings import Settings
from model.site.site import Site
from tests.mutation import loaded

PUBLISHERS = ROOT / "tests" / "data" / "publishers"
DIGEST = "sha256:" + "0" * 64
ACME = {"method": "letsencrypt-http01", "email": "it@example.test"}
PARTNERS = {"domains": ["other.test"], "networks": ["198.51.100.0/24"]}
APNS = {"apns": {"app": "test.ios", "key_id": "A1B2C3D4E5", "team_id": "F6G7H8I9J0", "topic": "test.ios"}}
FIREBASE = {"firebase": {"app": "test.android", "project": "test-1"}}
DNS01 = {**ACME, "method": "letsencrypt-dns01", "dns01": {"rfc2136": {"nameserver": "10.20.1.1"}}}


def publisher(name: str) -> str:
    """Return the stand-in of a publisher's manifest."""
    return (PUBLISHERS / f"{name}.yaml").read_text("utf-8")


def site(changed: Callable[[Settings], Settings] = lambda settings: settings, drives: int = 0) -> Site:
    """Return the reference site with other settings; `drives`: disks for data that its servers declare."""
    known = loaded()
    images = {name: image.model_copy(update={"digest": DIGEST}) for name, image in known.images.items()}
    machines = tuple(with_disks(machine, drives) for machine in known.machines) if drives else known.machines
    application = replace(known.application, images=images)
    return replace(known, settings=changed(known.settings), machines=machines, application=application)


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


def render(known: Site) -> Stack:
    """Render every component of a site."""
    for component in active(known):
        assert (MANIFESTS / component.name).is_dir(), f"{component.name} has no templates"
    parts: tuple[RenderedComponent, ...] = tuple(
        render_component(known, component, None, publisher) for component in active(known)
    )
    return Stack(known, parts)


SITES: Mapping[str, Callable[[], Site]] = {
    "small": site,
    "100": lambda: site(changed(size="auto", concurrent_users=100)),
    "20000": lambda: site(changed(size="auto", concurrent_users=20_000)),
    "20000 with disks": lambda: site(changed(size="auto", concurrent_users=20_000), drives=2),
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
    **{
        f"{feature} {'off' if value else 'on'}": lambda feature=feature, value=value: site(  # type: ignore[misc]
            changed(features={feature: not value})
        )
        for feature, value in loaded().settings.features.model_dump().items()
        if isinstance(value, bool)
    },
}


@cache
def stack(name: str) -> Stack:
    """Return a rendered site of `SITES`; nobody may change it."""
    return render(SITES[name]())


def folder(path: Path, certificate: str) -> Site:
    """Return a site whose organisation brings its certificate."""
    (path / "chain.pem").write_text(certificate)
    known = site(changed(tls={"method": "organisation", "certificate": "chain.pem", "private_key": "key.pem"}))
    return replace(known, folder=path)


def found(name: str, kind: str, known: Site | None = None) -> list[dict[str, Any]]:
    """Return a component's objects of a kind, of the small site or another."""
    whole = stack("small") if known is None else render(known)
    part = next(part for part in whole.components if part.name == name)
    return [manifest for manifest in part.objects if manifest["kind"] == kind]


def files(name: str) -> dict[str, str]:
    """Return the configuration files of a component of the small site."""
    part = next(part for part in stack("small").components if part.name == name)
    return dict(part.files)
