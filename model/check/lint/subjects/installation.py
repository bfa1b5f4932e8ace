"""Rules of installation: nodes can be installed from where the site says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.lint.flaw import LintView, flaw
from model.host import apt
from model.host.openpgp import armored
from model.kubernetes.compatibility import minor_of
from model.site.installation import CODENAME, Repository

_KUBERNETES = "https://pkgs.k8s.io/core:/stable:/v{minor}/deb/"


def repositories(view: LintView) -> Iterator[Finding]:
    """
    Find nodes that apt is to install without any repository, with two of one name, or with none of the wished version.
    """
    kubernetes = view.site.settings.kubernetes
    if kubernetes.packages != "apt":
        return
    path, minor = "kubernetes.repositories", minor_of(kubernetes.version)
    if not kubernetes.repositories:
        message = "packages is apt, and no repository has Kubernetes: Debian's own archive has none"
        yield flaw(
            "site.yaml",
            path,
            value="",
            message=message,
            fix=f"a copy of {_KUBERNETES.format(minor=minor)} or that itself",
        )
    names = [repository.name for repository in kubernetes.repositories]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield flaw("site.yaml", path, value=name, message="two repositories have this name", fix="names of their own")
    minors = {repository.uri: apt.minor_named(repository.uri) for repository in kubernetes.repositories}
    named = {minor for minor in minors.values() if minor}
    if named and minor not in named:
        uri = next(uri for uri, minor in minors.items() if minor)
        message = f"has no Kubernetes {minor}: a repository carries one minor version"
        yield flaw("site.yaml", path, value=uri, message=message, fix=f"the one of v{minor}")


def keys(view: LintView) -> Iterator[Finding]:
    """Find repositories whose key is not there or is none."""
    kubernetes = view.site.settings.kubernetes
    for number, repository in enumerate(kubernetes.repositories if kubernetes.packages == "apt" else ()):
        if fault := _fault(view.site.folder / repository.key):
            path = f"kubernetes.repositories.{number}.key"
            fix = "the file of the repository's public key, relative to the site's folder"
            yield flaw("site.yaml", path, value=repository.key, message=fault, fix=fix)


def _fault(path: Path) -> str:
    try:
        armored(path.read_bytes())
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except ValueError as error:
        return str(error)
    return ""


def suites(view: LintView) -> Iterator[Finding]:
    """Find suites that apt does not take: a path with components, or a name without."""
    for number, repository in enumerate(view.site.settings.kubernetes.repositories):
        path = f"kubernetes.repositories.{number}"
        if repository.flat and repository.components:
            message = "ends in /: such a suite is a path and has no components"
            yield flaw(
                "site.yaml",
                f"{path}.suite",
                value=repository.suite,
                message=message,
                fix="no components, or a suite's name",
            )
        elif not repository.flat and not repository.components:
            message = f"the suite {repository.suite} has no components"
            yield flaw(
                "site.yaml",
                f"{path}.components",
                value="",
                message=message,
                fix="such as [stable], or a suite that ends in /",
            )
        if _braces(repository):
            message = f"has braces around something other than {CODENAME[1:-1]}"
            yield flaw("site.yaml", f"{path}.suite", value=repository.suite, message=message, fix=f"`{CODENAME}`")


def _braces(repository: Repository) -> bool:
    left = repository.suite.replace(CODENAME, "")
    return "{" in left or "}" in left


def registries(view: LintView) -> Iterator[Finding]:
    """Find registries named twice, and authorities of mirrors that are not there or protect nothing."""
    declared = view.site.settings.kubernetes.registries
    names = [registry.registry for registry in declared]
    for number, registry in enumerate(declared):
        path = f"kubernetes.registries.{number}"
        if names.index(registry.registry) != number:
            yield flaw(
                "site.yaml",
                f"{path}.registry",
                value=registry.registry,
                message="is named twice",
                fix="one entry with all mirrors",
            )
        if registry.ca is None:
            continue
        try:
            whole = "-----BEGIN CERTIFICATE-----" in (view.site.folder / registry.ca).read_text("utf-8", "replace")
            fault = "" if whole else "holds no certificate in PEM"
        except OSError as error:
            fault = f"cannot be read: {error.strerror}"
        if fault:
            yield flaw(
                "site.yaml",
                f"{path}.ca",
                value=registry.ca,
                message=fault,
                fix="a PEM file, relative to the site's folder",
            )
        if not any(url.startswith("https:") for url in registry.mirrors):
            message = "no mirror is asked by https"
            yield flaw(
                "site.yaml",
                f"{path}.ca",
                value=registry.ca,
                message=message,
                fix="an https mirror, or no `ca`",
                severity=Severity.WARNING,
            )


def closed(view: LintView) -> Iterator[Finding]:
    """Find sites whose way out is closed and whose nodes would be installed from the internet."""
    settings = view.site.settings
    if settings.egress != "closed" or settings.kubernetes.packages != "apt":
        return
    for number, repository in enumerate(settings.kubernetes.repositories):
        if apt.place(repository.uri)[0] in apt.PUBLIC:
            message = "lies in the internet, and egress is closed: no node could be added"
            path = f"kubernetes.repositories.{number}.uri"
            yield flaw(
                "site.yaml", path, value=repository.uri, message=message, fix="the organisation's copy, or a bundle"
            )


CHECKS = (
    Check(
        id="repository-missing",
        why="Debian's archive has no Kubernetes, and each minor has its own.",
        judge=repositories,
    ),
    Check(
        id="repository-key",
        why="apt takes nothing that is not signed by a key it knows.",
        judge=keys,
    ),
    Check(id="repository-suite", why="apt refuses the whole file.", judge=suites),
    Check(
        id="registry-mirror",
        why="Images would come from elsewhere, or not at all.",
        judge=registries,
    ),
    Check(
        id="install-closed",
        severity=Severity.WARNING,
        why="A server that is replaced later could not be installed.",
        judge=closed,
    ),
)
