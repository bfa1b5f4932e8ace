"""The YAML files of a folder become one site, or every wrong field of every file is named at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from model import document
from model.base import RoleName
from model.checkout import REFERENCE, ROOT
from model.document.places import located
from model.errors import FieldError, SchemaErrors, SiteError, did_you_mean
from model.site.code import read_code
from model.site.components import ComponentsFile
from model.site.derived import CodeLayer, Derivation, DerivedCode, DerivedImage, PinnedWheel, read_lock
from model.site.hosts import Defaults, GroupEntry, HostEntry
from model.site.images import ImagesFile
from model.site.mistakes import validated, wrong_fields
from model.site.reserved import HostName
from model.site.rows import WORDS, PortsFile, Row
from model.site.secrets import SecretsFile
from model.site.settings import Settings
from model.site.site import ApplicationSpec, Site, build

M = TypeVar("M")

FILES = ("site.yaml", "hosts.yaml", "groups.yaml", "defaults.yaml", "ports.yaml")
# A site whose folder has none of its own is given the project's.
APPLICATION_FILES = ("components.yaml", "images.yaml", "secrets.yaml")
_HOSTS = TypeAdapter(dict[HostName, HostEntry])
_GROUPS = TypeAdapter(dict[RoleName, GroupEntry])


def load_site(directory: Path) -> Site:
    """
    Read the site's folder.

    Raises `SchemaErrors` with every wrong field of every file; `SiteError` when the folder or a file is not there.
    """
    if not directory.is_dir():
        raise SiteError(
            f"{directory} is no folder; name the site's with --inventory, or make one with `python -m flows.site init`"
        )
    errors: list[FieldError] = []
    raw = {name: _read(directory / name, errors) for name in FILES}
    application = _application(directory, errors)
    settings = _parse("site.yaml", TypeAdapter(Settings), raw["site.yaml"], errors)
    hosts = _parse("hosts.yaml", _HOSTS, raw["hosts.yaml"], errors)
    groups = _parse("groups.yaml", _GROUPS, raw["groups.yaml"], errors)
    ports = _parse("ports.yaml", TypeAdapter(PortsFile), raw["ports.yaml"], errors)
    if raw["defaults.yaml"] is not None:
        _parse("defaults.yaml", TypeAdapter(Defaults), raw["defaults.yaml"], errors)
    if hosts is not None and groups is not None and settings is not None:
        errors += _references(settings, hosts, groups, ports.rows if ports else ())
    if errors or settings is None or hosts is None or groups is None or ports is None:
        raise SchemaErrors(located(errors, directory, REFERENCE))
    return build(settings, hosts, groups, ports.rows, directory, application)


def _application(directory: Path, errors: list[FieldError]) -> ApplicationSpec:
    own = {name: directory / name for name in APPLICATION_FILES}
    raw = {name: _read(path if path.exists() else REFERENCE / name, errors) for name, path in own.items()}
    components = _parse("components.yaml", TypeAdapter(ComponentsFile), raw["components.yaml"], errors)
    images = _parse("images.yaml", TypeAdapter(ImagesFile), raw["images.yaml"], errors)
    secrets = _parse("secrets.yaml", TypeAdapter(SecretsFile), raw["secrets.yaml"], errors)
    return ApplicationSpec(
        components=components.components if components else (),
        images=images.images if images else {},
        derivations=_derivations(directory, images, errors) if images else {},
        secrets=secrets.secrets if secrets else (),
    )


def _derivations(directory: Path, images: ImagesFile, errors: list[FieldError]) -> dict[str, Derivation]:
    named = [(name, image.derived) for name, image in images.images.items() if image.derived is not None]
    found = {name: _derivation(directory, name, derived, errors) for name, derived in named}
    return {name: derivation for name, derivation in found.items() if derivation is not None}


def _derivation(directory: Path, name: str, derived: DerivedImage, errors: list[FieldError]) -> Derivation | None:
    before, path = len(errors), f"images.{name}.derived"
    wheels = _wheels(directory, path, derived.requirements, errors) if derived.requirements else ()
    code = _code(path, derived.code, errors) if derived.code else None
    return Derivation(wheels, derived.into or "", code) if len(errors) == before else None


def _wheels(directory: Path, path: str, requirements: str, errors: list[FieldError]) -> tuple[PinnedWheel, ...]:
    own = directory / requirements
    try:
        return read_lock((own if own.exists() else ROOT / requirements).read_text("utf-8"))
    except FileNotFoundError:
        message, fix = "is neither in the site's folder nor in the project's", "name a lock file of wheels"
    except (OSError, ValueError) as error:
        message, fix = f"is no lock file of wheels: {error}", "see templates/bundle/synapse-s3.lock"
    errors.append(FieldError("images.yaml", f"{path}.requirements", requirements, message, fix))
    return ()


def _code(path: str, declared: DerivedCode, errors: list[FieldError]) -> CodeLayer | None:
    try:
        return CodeLayer(declared.folder, declared.at, read_code(ROOT, declared.folder))
    except (OSError, ValueError) as error:
        message, fix = f"cannot be put into an image: {error}", "name a folder of this checkout with files alone"
        errors.append(FieldError("images.yaml", f"{path}.code.folder", declared.folder, message, fix))
    return None


def _read(path: Path, errors: list[FieldError]) -> object:
    try:
        return document.read(path)
    except FileNotFoundError:
        errors.append(FieldError(path.name, "(file)", "", "is missing", "start from `python -m flows.site init`"))
    except document.DocumentError as error:
        errors.append(FieldError(path.name, error.path, "", error.message, error.fix))
    return None


def _parse(file: str, adapter: TypeAdapter[M], value: object, errors: list[FieldError]) -> M | None:
    if any(error.file == file for error in errors):
        return None
    try:
        return validated(adapter, value)
    except ValidationError as failure:
        errors += wrong_fields(file, adapter, value, failure)
    except (TypeError, ValueError) as failure:
        errors.append(FieldError(file, "(file)", "", f"holds a value that is no plain data: {failure}"))
    return None


def _references(
    settings: Settings, hosts: Mapping[str, HostEntry], groups: Mapping[str, GroupEntry], rows: tuple[Row, ...]
) -> list[FieldError]:
    """Find names in one file that another file lacks: without them the site cannot be joined at all."""
    errors = []
    for name, host in hosts.items():
        unknown = [group for group in host.groups if group not in groups]
        errors += [
            FieldError(
                "hosts.yaml",
                f"{name}.groups",
                group,
                "no such role in groups.yaml",
                _one_of(group, sorted(groups)),
            )
            for group in unknown
        ]
        errors += [
            FieldError(
                "hosts.yaml",
                f"{name}.data.addresses",
                network,
                "no such network in site.yaml",
                _one_of(network, settings.networks),
            )
            for network in host.data.addresses
            if network not in settings.networks
        ]
    for name, external in settings.external.items():
        errors += [
            FieldError(
                "site.yaml",
                f"external.{name}.targets",
                target,
                "no such host in hosts.yaml",
                f"a host that runs it{did_you_mean(target, hosts)}",
            )
            for target in external.targets
            if target not in hosts
        ]
    for number, row in enumerate(rows):
        errors += [
            FieldError(
                "ports.yaml",
                f"rows.{number} ({row.name}).{word}",
                end,
                "is neither a role of groups.yaml nor a word for a network",
                _one_of(end, sorted({*groups, *WORDS})),
            )
            for word, ends in (("from", row.source_ends), ("to", row.destination_ends))
            for end in ends
            if end not in groups and end not in WORDS
        ]
    names = [row.name for row in rows]
    errors += [
        FieldError("ports.yaml", f"rows ({name})", name, "two rows have this name", "names identify rows in reports")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    return errors


def _one_of(word: str, known: Iterable[str]) -> str:
    """Return the words that may stand there, and the one that was probably meant."""
    words = list(known)
    return f"one of {', '.join(words)}{did_you_mean(word, words)}"


def adapters() -> dict[str, TypeAdapter[Any]]:
    """Return, by file name, the models that the inventory's files must satisfy."""
    return {
        "site.yaml": TypeAdapter(Settings),
        "hosts.yaml": _HOSTS,
        "groups.yaml": _GROUPS,
        "defaults.yaml": TypeAdapter(Defaults),
        "ports.yaml": TypeAdapter(PortsFile),
        "components.yaml": TypeAdapter(ComponentsFile),
        "images.yaml": TypeAdapter(ImagesFile),
        "secrets.yaml": TypeAdapter(SecretsFile),
    }
