"""How the site's secrets are rotated: which values together, by which steps, and who is away for how long."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from model.kubernetes.manifests import Manifest
from model.rollout.graph import active
from model.rollout.own_objects import renderable
from model.rollout.preview import preview
from model.rollout.rendered import SecretRef, secrets_in
from model.rollout.rotation_steps import RotationStep, SecretUsers, steps_of
from model.rollout.secret_document import ref_text
from model.rollout.secret_facts import SecretFacts
from model.rollout.secret_names import secret_spec
from model.site.secrets import Procedure, Realm, Rotation
from model.site.site import Site

# Of these procedures a secret's values change together: a server knows them as a pair.
_TOGETHER: frozenset[Procedure] = frozenset({"two-values", "signing-key", "operator"})
# Of these both values count for a while.
_ACCEPTED_TWICE: frozenset[Procedure] = frozenset({"two-values"})
# On Secrets whose values an operator sets elsewhere when they change.
_TAKEN_OVER = "cnpg.io/reload"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationPlan:
    """
    What happens to the values of one secret that are rotated together, in which order.

    `components` are those of the site that use it; `obstacle` says why this program does not do it, empty where it
    does.
    """

    realm: Realm
    refs: tuple[SecretRef, ...]
    rotation: Rotation
    components: tuple[str, ...]
    steps: tuple[RotationStep, ...]
    obstacle: str = ""

    @property
    def name(self) -> str:
        """What a person calls it."""
        return called(self.refs)

    @property
    def headline(self) -> str:
        """The plan in one line: procedure, gap, what people notice."""
        gap = self.rotation.gap_seconds
        noticed = f"; {self.rotation.effect}" if self.rotation.effect else ""
        shown = f"a gap of about {gap} s is expected" if gap else "no gap is expected"
        return f"{self.name}: {self.rotation.procedure}: {shown}{noticed}"

    @property
    def lines(self) -> tuple[str, ...]:
        """The plan as a person reads it before it begins."""
        return (self.headline, *(f"  {number}. {step.words}" for number, step in enumerate(self.steps, 1)))


def called(refs: tuple[SecretRef, ...]) -> str:
    """Return what a person calls values of one secret."""
    return f"{refs[0].name}/{'+'.join(ref.key for ref in refs)}"


def rotation_plans(site: Site, refs: Iterable[SecretRef]) -> tuple[RotationPlan, ...]:
    """
    Return how values of the site are rotated, in one plan those of a secret that go the same way.

    Raises `SelectionError` for one that the site does not have.
    """
    units: dict[tuple[str, Procedure], list[SecretRef]] = {}
    for ref in refs:
        spec = secret_spec(site, ref.name)
        procedure = spec.rotation_of(ref.key).procedure
        unit = units.setdefault((ref.name, procedure), [])
        together = [SecretRef(spec.name, key) for key, _ in spec.kept() if spec.rotation_of(key).procedure == procedure]
        unit += [other for other in (together if procedure in _TOGETHER else [ref]) if other not in unit]
    return tuple(_plan(site, tuple(unit)) for unit in units.values())


def _plan(site: Site, refs: tuple[SecretRef, ...]) -> RotationPlan:
    spec = secret_spec(site, refs[0].name)
    rotation = _common([spec.rotation_of(ref.key) for ref in refs])
    present = {component.name for component in active(site)}
    components = tuple(name for name in spec.consumers if name in present)
    accepting = _accepting(site, refs, rotation.procedure, components)
    users = SecretUsers(
        name=called(refs), components=components, values=tuple(map(ref_text, refs)), accepting=accepting,
        everybody=not spec.consumers,
    )  # fmt: skip
    return RotationPlan(
        realm=spec.realm,
        refs=refs,
        rotation=rotation,
        components=components,
        steps=steps_of(rotation.procedure, users),
        obstacle=_obstacle(site, refs, rotation.procedure, accepting),
    )


def _common(rotations: list[Rotation]) -> Rotation:
    """Return one rotation that stands for several of one procedure: the longest gap, and everything people notice."""
    effects = dict.fromkeys(rotation.effect for rotation in rotations if rotation.effect)
    gap = max(rotation.gap_seconds for rotation in rotations)
    return Rotation(procedure=rotations[0].procedure, gap_seconds=gap, effect="; ".join(effects) or None)


def _obstacle(site: Site, refs: tuple[SecretRef, ...], procedure: Procedure, accepting: tuple[str, ...]) -> str:
    if procedure in ("provided", "none"):
        return "its value comes from a person"
    if procedure in _ACCEPTED_TWICE:
        none = "its rotation is planned and not carried out: no component of the site accepts two values of it"
        return "" if accepting else none
    if procedure == "operator" and not accepting:
        return "its rotation is planned and not carried out: no component of the site hands it to an operator"
    if procedure != "restart" and not any(_used(refs, part.secrets) for part in renderable(site)):
        return "its rotation is planned and not carried out: no component of the site brings it into the cluster"
    return ""


def _accepting(
    site: Site, refs: tuple[SecretRef, ...], procedure: Procedure, components: tuple[str, ...]
) -> tuple[str, ...]:
    """
    Return the components that accept both values while the secret is rotated, or that hand it to an operator.

    Templates say so: by what they make of two values, or by the label of a Secret.
    """
    if procedure == "operator":
        return tuple(part.name for part in renderable(site) if _handed_over(refs, part.objects))
    if procedure not in _ACCEPTED_TWICE:
        return ()
    facts = SecretFacts(windows=frozenset(refs))
    wanted = tuple(ref.accepted for ref in refs)
    users = [component for component in active(site) if component.name in components]
    parts = (preview(site, component, facts=facts) for component in users)
    return tuple(part.name for part in parts if _used(wanted, part.rendered.secrets))


def _handed_over(refs: tuple[SecretRef, ...], objects: Iterable[Manifest]) -> bool:
    labelled = (found for found in objects if _TAKEN_OVER in (found["metadata"].get("labels") or {}))
    return any(_used(refs, set(secrets_in(found))) for found in labelled)


def _used(refs: tuple[SecretRef, ...], used: Collection[SecretRef]) -> bool:
    return any(ref in used for ref in refs)
