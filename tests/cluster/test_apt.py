"""
From bare hosts to a cluster by apt: packages, their keys and images come from inside the organisation, and from nowhere
else.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.bundle import building
from lab.bundle.recipe import DEFAULT
from tests.cluster.lab_cluster import LONG, LabCluster, eventually, wrong
from tests.lab.driver import booted
from tests.mirror.inside import Inside, inside
from tests.openpgp import Keyring

pytestmark = pytest.mark.all

NODES = {"cp-1", "cp-2", "cp-3", "w-1", "db-1", "li-1"}
_ONE = ("--limit", "w-1", "--to", "runtime")
# How every path and unit of a host looks, save what runs write all the time.
_LOOK = r"""
find /etc /usr /opt/cni /var/lib/matrix-fleet /var/lib/apt /var/lib/dpkg -xdev -printf '%p %T@ %m %s\n' | sort
systemctl show --property=Id,ActiveEnterTimestamp containerd kubelet haproxy keepalived chrony ufw
"""


@dataclass(frozen=True)
class Organisation:
    """A lab of bare hosts, and what serves them."""

    cluster: LabCluster
    inside: Inside

    def bootstrap(self, *flags: str) -> tuple[int, dict[str, Any]]:
        """Run bootstrap; return its exit code and report."""
        return self.cluster.flow("bootstrap", *flags, seconds=LONG)

    def shell(self, host: str, command: str) -> str:
        """Run a shell command on a host; it must succeed."""
        done = self.cluster.lab.shell(host, ("sh", "-c", command))
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def organisation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organisation]:
    """Bare hosts, and a repository and a registry on their router, from which its site installs nodes."""
    with (
        booted("ap", "--profile", "small", "--bare") as lab,
        inside(lab, building.ensure(DEFAULT, print), tmp_path_factory.mktemp("inside")) as served,
    ):
        yield Organisation(LabCluster(lab), served)


@pytest.fixture(scope="module")
def small(organisation: Organisation) -> Organisation:
    """Those hosts as a cluster."""
    code, report = organisation.bootstrap()
    assert (code, wrong(report)) == (0, [])
    return organisation


@pytest.fixture
def otherwise(organisation: Organisation, tmp_path: Path) -> Callable[..., tuple[str, str]]:
    """
    Run bootstrap's first phases on w-1 with other settings of Kubernetes; return what failed there, and the next step.
    """

    def run(change: Callable[[dict[str, Any]], None]) -> tuple[str, str]:
        site = tmp_path / "site"
        shutil.copytree(organisation.cluster.lab.inventory, site, ignore=shutil.ignore_patterns("reports", "state"))
        settings = yaml.safe_load((site / "site.yaml").read_text("utf-8"))
        change(settings["kubernetes"])
        (site / "site.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
        code, report = organisation.bootstrap("--inventory", str(site), *_ONE)
        (failed,) = (outcome for outcome in report["outcomes"] if outcome["status"] == "failed")
        assert (code, failed["host"]) == (3, "w-1")
        return failed["message"], failed["next"]

    return run


def test_a_dry_run_shows_keys_sources_pins_and_packages_and_asks_nobody_for_them(organisation: Organisation) -> None:
    code, report = organisation.bootstrap("--dry-run", *_ONE)
    assert code == 2
    (shown,) = (
        outcome for outcome in report["outcomes"] if (outcome["subject"], outcome["status"]) == ("runtime", "drift")
    )
    for line in (
        f"+ package kubelet ({organisation.inside.version})",
        "+ package containerd.io (2)",
        "+-----BEGIN PGP PUBLIC KEY BLOCK-----",
        "+URIs: http://10.20.0.1:80/kubernetes/",
        "+Package: kubelet kubeadm kubectl",
        '+server = "https://10.20.2.1:80"',
        "+ hold kubelet",
    ):
        assert line in shown["evidence"].splitlines()
    assert organisation.inside.requests("packages") == []
    assert organisation.inside.requests("images") == []


def test_packages_that_another_key_signed_are_not_taken(
    organisation: Organisation, otherwise: Callable[..., tuple[str, str]], tmp_path: Path
) -> None:
    keyring = Keyring(tmp_path / "gpg")
    (organisation.cluster.lab.inventory / "other.asc").write_bytes(keyring.export("--armor"))
    keyring.close()
    message, step = otherwise(lambda kubernetes: kubernetes["repositories"][0].update(key="other.asc"))
    assert "could not read the package sources" in message
    assert "is not signed" in message
    assert "kubernetes.repositories" in step


def test_a_version_that_no_repository_has_is_told_with_what_to_look_at(
    otherwise: Callable[..., tuple[str, str]],
) -> None:
    message, step = otherwise(lambda kubernetes: kubernetes.update(version="1.36.99"))
    assert "Package 'kubelet' has no installation candidate" in message
    assert "kubernetes.version" in step


def test_a_registry_that_nobody_vouches_for_is_told_before_a_cluster_begins(
    organisation: Organisation, otherwise: Callable[..., tuple[str, str]]
) -> None:
    def without_authority(kubernetes: dict[str, Any]) -> None:
        for registry in kubernetes["registries"]:
            del registry["ca"]

    message, step = otherwise(without_authority)
    assert "cannot pull registry.k8s.io/" in message
    assert "certificate signed by unknown authority" in message
    assert "`kubernetes.registries` in site.yaml" in step
    assert "matrix-fleet-kubernetes.asc" in organisation.shell("w-1", "ls /etc/apt/keyrings")


def test_bare_hosts_become_a_cluster(small: Organisation) -> None:
    assert small.cluster.ready() == NODES
    nodes = small.cluster.objects("nodes")
    assert {node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes} == {f"v{small.inside.version}"}
    for host in sorted(NODES):
        assert small.shell(host, "for name in kubelet containerd; do command -v $name; done").split() == [
            "/usr/bin/kubelet",
            "/usr/bin/containerd",
        ]
        assert "kubelet" in small.shell(host, "apt-mark showhold").split()
        # Neither what is newer nor what is too old, though the repository has both.
        assert "0 upgraded, 0 newly installed" in small.shell(host, "apt-get --simulate dist-upgrade")
    for plane in ("cp-1", "cp-2", "cp-3"):
        assert "etcdctl version" in small.shell(plane, "etcdctl version")


def test_nodes_pull_from_inside_what_pods_ask_for(small: Organisation) -> None:
    before = len(small.inside.requests("images"))
    words = ("pulled", "--namespace=kube-system", "--image=registry.k8s.io/pause:3.10.2", "--image-pull-policy=Always")
    small.cluster.kubectl("run", *words)
    try:
        eventually("its image is asked for", lambda: len(small.inside.requests("images")) > before, 60)
        (line,) = small.inside.requests("images")[before:]
        assert "/v2/pause/manifests/3.10.2?ns=registry.k8s.io" in line
    finally:
        small.cluster.kubectl("delete", "pod", "--namespace=kube-system", "pulled", "--wait=true")


def test_a_second_run_changes_nothing_and_asks_nobody(small: Organisation) -> None:
    asked = [small.inside.requests(which) for which in ("packages", "images")]
    before = {host: small.shell(host, _LOOK) for host in NODES}
    code, report = small.bootstrap()
    assert (code, wrong(report)) == (0, [])
    assert [outcome for outcome in report["outcomes"] if outcome["status"] == "changed"] == []
    assert {host: small.shell(host, _LOOK) for host in NODES} == before
    assert [small.inside.requests(which) for which in ("packages", "images")] == asked


def test_a_source_and_a_mirror_that_the_site_no_longer_names_go(small: Organisation) -> None:
    files = ("/etc/apt/sources.list.d/matrix-fleet-former.sources", "/etc/containerd/certs.d/quay.io/hosts.toml")
    mine = "/etc/containerd/certs.d/docker.io/hosts.toml"
    for path in (*files, mine):
        first = "# Written by matrix-fleet." if path in files else "# Written by somebody else."
        small.shell("db-1", f"mkdir -p {Path(path).parent}; echo '{first}' >{path}")
    try:
        code, report = small.bootstrap("--limit", "db-1", "--only", "runtime")
        (done,) = (outcome for outcome in report["outcomes"] if outcome["subject"] == "runtime")
        assert (code, done["status"]) == (0, "changed")
        assert {line for line in done["evidence"].splitlines() if line.startswith("- ")} == {
            f"- {path}" for path in files
        }
        assert small.shell("db-1", f"ls {mine}").strip() == mine
    finally:
        small.shell("db-1", f"rm -r {Path(mine).parent}")


def test_members_are_not_brought_to_another_version_by_bootstrap(
    otherwise: Callable[..., tuple[str, str]], small: Organisation
) -> None:
    message, _ = otherwise(lambda kubernetes: kubernetes.update(version="1.37"))
    assert message == f"runs Kubernetes {small.inside.version}, and site.yaml says 1.37"
    code, report = small.cluster.flow("upgrade")
    assert code == 1
    assert "kubernetes.packages is apt" in report["outcomes"][0]["message"]
