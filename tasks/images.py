"""The images that a node runs, and how it comes to have all of them before anything depends on one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from model.bundle.bundle import Bundle
from model.checkout import HOST_SCRIPTS
from model.errors import HostError
from model.kubernetes.manifests import Manifest
from model.site.installation import IMAGES, ImageName
from model.site.site import Site
from remote.command import first_lines

if TYPE_CHECKING:
    from nornir.core.inventory import Host

CERTS = "/etc/containerd/certs.d"
SECONDS = 900.0
_NAMES = "ctr --namespace k8s.io images ls --quiet"
# Of what kubeadm chooses, these run on every node.
_EVERYWHERE = ("kube-proxy", "coredns", "pause")
_ETCD = "etcd"
PROGRAMS = HOST_SCRIPTS / "image-programs.sh"
_NEXT = (
    "can the host reach that registry, and has it the image? `kubernetes.registries` in site.yaml names the "
    "organisation's mirrors and "
    "their `ca`, `servers.proxy` its proxy (docs/bootstrap.md)"
)


def reference(site: Site, bundle: Bundle | None, name: ImageName) -> str:
    """Return the reference of an image that kubeadm does not choose: the bundle's, or the site's, or our own."""
    return bundle.image(name).reference if bundle else site.settings.kubernetes.images.get(name, IMAGES[name])


def of_manifests(manifests: Iterable[Manifest]) -> tuple[str, ...]:
    """Return the references that pods of these objects run."""
    references: dict[str, None] = {}
    for manifest in manifests:
        template = (manifest.get("spec") or {}).get("template") or {}
        pod = template.get("spec") or {} if isinstance(template, dict) else {}
        for container in (*pod.get("initContainers", ()), *pod.get("containers", ())):
            references[str(container["image"])] = None
    return tuple(references)


def wanted(host: Host, version: str, beside: Sequence[str], *, control_plane: bool) -> tuple[str, ...]:
    """
    Return the references a node needs: what the kubeadm there chooses for Kubernetes `version`, and those `beside`.
    """
    from remote.shell import run

    argv = ("kubeadm", "config", "images", "list", "--kubernetes-version", f"v{version}")
    listed = run(host, argv, root=True).check(host).stdout.decode().split()
    chosen = [name for name in listed if control_plane or _word(name) in _EVERYWHERE]
    return tuple(dict.fromkeys((*chosen, *beside)))


def missing(host: Host, references: Sequence[str]) -> tuple[str, ...]:
    """Return those that containerd does not have under their names."""
    from remote.shell import run

    there = set(run(host, ("sh", "-c", _NAMES), root=True).check(host).stdout.decode().split())
    return tuple(name for name in references if name not in there)


def pull(host: Host, references: Sequence[str]) -> None:
    """
    Let the node pull images, one after the other, from where its containerd is told to.

    Raises `HostError` naming the first that does not come, why, and what to do.
    """
    from remote.shell import run

    for name in references:
        argv = ("ctr", "--namespace", "k8s.io", "images", "pull", "--hosts-dir", CERTS, name)
        done = run(host, argv, root=True, timeout=SECONDS)
        if done.exit_code:
            raise HostError(host.name, f"cannot pull {name}: {_reason(done.stderr)}", _NEXT)
    if left := missing(host, references):
        raise HostError(
            host.name, f"has pulled {', '.join(left)}, and containerd does not have it", "look at its journal"
        )


def _reason(stderr: bytes) -> str:
    """Return the last line of what ctr said, without its own name and what everybody knows."""
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    return re.sub(r"^ctr: ", "", lines[-1])[-400:] if lines else first_lines(stderr)


def etcd_programs(host: Host, references: Sequence[str]) -> bool:
    """
    Put etcdctl and etcdutl of etcd's own image where commands are found, unless those of that version are there; tell
    whether it did.
    """
    from remote.shell import run

    image = next(name for name in references if _word(name) == _ETCD)
    argv = ("sh", "-c", PROGRAMS.read_text("utf-8"), "sh", image)
    return run(host, argv, root=True, timeout=SECONDS).check(host).stdout.strip() == b"changed"


def _word(name: str) -> str:
    """Return the last word of an image's name."""
    return name.partition("@")[0].rpartition("/")[2].partition(":")[0]
