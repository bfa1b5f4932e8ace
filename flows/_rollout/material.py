"""What a rollout works with: components rendered from the site and its bundle, and the secrets they hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import yaml

from flows._run.context import Context
from model.bundle.bundle import Bundle, load_bundle
from model.errors import SiteError
from model.rollout.fill import refuse_markers
from model.rollout.final_files import final_files
from model.rollout.graph import active
from model.rollout.image_places import ImagePlace, image_places
from model.rollout.image_references import ImageUnknown
from model.rollout.preview import Preview, preview
from model.rollout.render import no_upstream, render_component, upstream_of
from model.rollout.rendered import RenderedComponent
from model.rollout.secret_facts import SecretFacts
from model.site.components import Component
from model.site.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """
    `rendered` by component, in order; `bundle` and `folder` are None where images come from registries.

    `left_out` are optional components of whose images nothing says the digest: they cannot run, and nobody asked for
    them by name. `lacking` are those of the chosen that cannot go without an image which the bundle does not bring.
    """

    rendered: Mapping[str, RenderedComponent]
    bundle: Bundle | None
    folder: Path | None
    left_out: Mapping[str, Preview] = field(default_factory=dict)
    lacking: Mapping[str, Preview] = field(default_factory=dict)


def render(context: Context, chosen: Sequence[Component], facts: SecretFacts, named: Collection[str] = ()) -> Material:
    """
    Render every component the site has; `facts` are of its store, `named` are components that a person asked for.

    Raises `SiteError` where one of the chosen cannot be rendered; of the others it is told.
    """
    folder, bundle = site_bundle(context.site, context.options.inventory)
    upstream = upstream_of(bundle, folder) if bundle and folder else no_upstream
    steps: dict[str, None] = {}
    names = {component.name for component in chosen}
    rendered: dict[str, RenderedComponent] = {}
    left_out: dict[str, Preview] = {}
    lacking: dict[str, Preview] = {}
    errors: list[str] = []
    others: list[str] = []
    for component in active(context.site):
        try:
            found = render_component(context.site, component, bundle, upstream, facts=facts)
            sound(found)
            rendered[component.name] = found
        except SiteError as error:
            shown = _without_images(error, partial(preview, context.site, component, bundle, upstream, facts))
            if shown and component.optional and component.name not in named:
                left_out[component.name] = shown
            elif shown and component.name in names and bundle is not None:
                lacking[component.name] = shown
            elif component.name in names:
                errors += [str(error), *(f"  {place}" for place in _undigested(shown))]
                steps[error.next_step] = None
            else:
                others.append(f"{component.name} ({error})")
    if others:
        context.say(f"not asked for, and cannot be rendered: {'; '.join(others)}")
    if errors:
        known = [*filter(None, steps), "nothing was connected to; docs/images.md says where images come from"]
        raise SiteError("\n".join(dict.fromkeys(errors)), next_step="; ".join(known))
    return Material(rendered=rendered, bundle=bundle, folder=folder, left_out=left_out, lacking=lacking)


def _without_images(error: SiteError, shown: Callable[[], Preview]) -> Preview | None:
    """Return what can be shown of a component of whose images alone the digest is unknown, None for other errors."""
    with suppress(SiteError):
        return shown() if isinstance(error, ImageUnknown) else None
    return None


def _undigested(shown: Preview | None) -> Iterator[ImagePlace]:
    """Yield each container whose image's digest nothing says."""
    yield from (place for place in image_places([shown.rendered] if shown else ()) if place.undigested)


def why_left_out(site: Site, shown: Preview) -> str:
    """Return the sentence that says which images a component waits for."""
    lacking = ", ".join(_lacking(site, name) for name in shown.undigested)
    return f"not rolled out: nobody gave its image: {lacking}, and no bundle brings it"


def _lacking(site: Site, name: str) -> str:
    image = site.images.get(name)
    return f"no digest is known of {name} ({image.name}:{image.tag})" if image else f"images.yaml has no {name}"


def site_bundle(site: Site, inventory: Path) -> tuple[Path | None, Bundle | None]:
    """Return the site's bundle and its folder, None where it has none."""
    named = site.settings.kubernetes.bundle
    if named is None:
        return None, None
    folder = inventory / named
    return folder, load_bundle(folder)


def write(site: Site, components: Iterable[RenderedComponent], target: Path, say: Callable[[str], None]) -> None:
    """
    Write every object and every configuration file of components, those that programs merge for themselves too, a
    folder a component, secrets as names.

    Raises `SiteError` where the folder holds something that no render wrote.
    """
    for rendered in components:
        folder = target / rendered.name
        _empty(folder)
        for number, manifest in enumerate(rendered.objects, 1):
            words = (f"{number:03}", manifest["kind"], manifest["metadata"]["name"].replace("/", "_").replace(":", "_"))
            text = yaml.dump(manifest, Dumper=yaml.CSafeDumper, sort_keys=False, width=110)
            _write(folder / f"{'-'.join(words)}.yaml", text)
        for file, text in rendered.files.items():
            _write(folder / "files" / file, text)
        final = final_files(site, rendered)
        for file, text in final.items():
            _write(folder / file, text)
        say(f"{rendered.name}: {len(rendered.objects)} objects, {len(rendered.files) + len(final)} files")


def sound(rendered: RenderedComponent, *, is_whole: bool = True) -> None:
    """
    Refuse a secret outside of a Secret, and a component without objects where all of it `is_whole`. Raises `SiteError`.
    """
    if is_whole and not rendered.objects:
        raise SiteError(
            f"the component {rendered.name} renders no object",
            next_step=f"templates/manifests/{rendered.name}/*.yaml.j2 are its objects",
        )
    for manifest in rendered.objects:
        refuse_markers(manifest)


def _empty(folder: Path) -> None:
    """Remove what an earlier render wrote; anything else stays and is an error."""
    for path in sorted(folder.rglob("*"), reverse=True) if folder.exists() else ():
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.suffix == ".yaml" or path.parent.name == "files" or "files" in path.relative_to(folder).parts:
            path.unlink()
        else:
            raise SiteError(f"--render: {path} was written by nobody known", next_step="name another folder")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
