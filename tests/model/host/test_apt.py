"""Claims about what apt is told, tried with apt itself where it can say."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from model.host.apt import asked, minor_named, packages, place, preferences, source, versions
from model.host.debian_version import is_version
from model.site.installation import Containerd, Registry, Repository
from model.site.settings import Endpoint, Kubernetes

KUBERNETES = Kubernetes(endpoint=Endpoint(name="api.example.test"), packages="apt")


def _candidate(folder: Path, name: str, there: tuple[str, ...], pins: str) -> str:
    """Return the version of a package that apt would install with these pins, of those in a repository."""
    for path in ("lists/partial", "repository", "archives/partial", "made/DEBIAN"):
        (folder / path).mkdir(parents=True)
    for version in there:
        fields = {"Package": name, "Version": version, "Architecture": "all", "Maintainer": "test", "Description": "x"}
        (folder / "made/DEBIAN/control").write_text("".join(f"{key}: {value}\n" for key, value in fields.items()))
        file = folder / f"repository/{name}_{version.replace(':', '%3a')}.deb"
        subprocess.run(("dpkg-deb", "--build", folder / "made", file), capture_output=True, check=True)
    listing = subprocess.run(
        ("dpkg-scanpackages", "-m", "."), cwd=folder / "repository", capture_output=True, check=True
    )
    (folder / "repository/Packages").write_bytes(listing.stdout)
    (folder / "sources").write_text(f"deb [trusted=yes] file:{folder}/repository ./\n")
    (folder / "preferences").write_text(pins)
    (folder / "status").touch()
    options = {
        "Dir::Etc::SourceList": "sources",
        "Dir::Etc::SourceParts": "none",
        "Dir::State::Lists": "lists",
        "Dir::State::Status": "status",
        "Dir::Etc::Preferences": "preferences",
        "Dir::Etc::PreferencesParts": "none",
        "Dir::Cache": "",
    }
    flags = [word for key, value in options.items() for word in ("-o", f"{key}={folder / value}")]
    flags += ["-o", "APT::Sandbox::User=root"]
    subprocess.run(("apt-get", *flags, "update"), capture_output=True, check=True)
    policy = subprocess.run(("apt-cache", *flags, "policy", name), capture_output=True, text=True, check=True).stdout
    return next(line.split()[1] for line in policy.splitlines() if "Candidate:" in line)


@pytest.mark.parametrize(
    ("wanted", "chosen"), [("1.36", "1.36.30-1.1"), ("1.36.3", "1.36.3-1.1"), ("1.36.2", "(none)"), ("1.38", "(none)")]
)
@pytest.mark.usefixtures("debian_tools")
def test_apt_chooses_the_wished_version_and_never_a_newer_one(tmp_path: Path, wanted: str, chosen: str) -> None:
    there = ("1.35.9-1.1", "1.36.3-1.1", "1.36.30-1.1", "1.37.0-1.1")
    assert _candidate(tmp_path, "kubelet", there, preferences({"kubelet": wanted})) == chosen


@pytest.mark.usefixtures("debian_tools")
def test_apt_chooses_containerd_of_the_second_version(tmp_path: Path) -> None:
    pins = preferences(versions(KUBERNETES))
    there = ("1.7.28-1~debian.12~bookworm", "2.2.1-1~debian.12~bookworm", "5:27.1")
    assert _candidate(tmp_path, "containerd.io", there, pins) == "2.2.1-1~debian.12~bookworm"


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ("1.36.3-1.1", "1.36", True),
        ("1.36.3-1.1", "1.36.3", True),
        ("1.36.30-1.1", "1.36.3", False),
        ("1.37.0-1.1", "1.36", False),
        ("2.2.1-1~debian.12~bookworm", "2", True),
        ("20.1", "2", False),
        ("1:1.36.3", "1.36", True),
    ],
)
def test_a_version_is_wished_where_it_begins_with_its_numbers(version: str, wanted: str, fits: bool) -> None:
    assert is_version(version, wanted) is fits


def test_a_repository_is_written_for_the_hosts_own_release_and_with_its_own_key_alone() -> None:
    docker = Repository(name="docker", uri="https://d.test/debian", suite="{codename}", components=("stable",), key="a")
    assert source(docker, "trixie").splitlines()[1:] == [
        "Types: deb",
        "URIs: https://d.test/debian",
        "Suites: trixie",
        "Components: stable",
        "Signed-By: /etc/apt/keyrings/matrix-fleet-docker.asc",
    ]
    flat = source(Repository(name="k8s", uri="https://k.test/v1.36/deb/", key="a"), "trixie")
    assert "Suites: /\n" in flat
    assert "Components" not in flat


def test_the_containerd_of_the_site_is_installed_and_pinned() -> None:
    other = KUBERNETES.model_copy(update={"containerd": Containerd(package="containerd", version="2.2")})
    assert packages(other)[0] == "containerd"
    assert versions(other) == {"containerd": "2.2", "kubelet": "1.36", "kubeadm": "1.36", "kubectl": "1.36"}


@pytest.mark.parametrize(
    ("uri", "minor"),
    [
        ("https://pkgs.k8s.io/core:/stable:/v1.36/deb/", "1.36"),
        ("http://mirror.test/kubernetes/v1.37", "1.37"),
        ("http://mirror.test/kubernetes", ""),
        ("http://v1.36.test/x", ""),
    ],
)
def test_the_minor_version_is_what_the_address_says(uri: str, minor: str) -> None:
    assert minor_named(uri) == minor


def test_who_is_asked_for_images_is_a_mirror_where_there_is_one() -> None:
    mirrored = Registry(registry="registry.k8s.io", mirrors=("https://m.test:5000", "http://[fd20::1]/v2/k8s"))
    images = ("registry.k8s.io/pause:3.10", "registry.k8s.io/etcd:1", "docker.io/library/busybox:1")
    assert asked((mirrored,), images) == (("m.test", 5000), ("fd20::1", 80), ("registry-1.docker.io", 443))
    also = mirrored.model_copy(update={"fallback": True})
    assert ("registry.k8s.io", 443) in asked((also,), images)
    assert place("10.0.0.1:8080") == ("10.0.0.1", 8080)
