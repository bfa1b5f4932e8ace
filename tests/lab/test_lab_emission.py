"""The emitted site."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import emission, identity, instance, perimeter, services
from lab.instance import Instance
from lab.plan import LabPlan
from lab.topology import added_host, hosts_of
from model.kubernetes.hardening import kubelet
from model.site.load import load_site
from model.site.site import Site
from tests.mutation import loaded


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instance:
    monkeypatch.setattr(instance, "STATE", tmp_path)
    return Instance("u")


def _plan(profile: str) -> LabPlan:
    return LabPlan(profile=profile, bare=False, suite="bookworm", hosts=hosts_of(profile))


def _emit(home: Instance, profile: str) -> Site:
    plan = _plan(profile)
    identity.make(home, [host.name for host in plan.hosts])
    assert emission.emit(home, plan) == ()
    return load_site(home.inventory)


@pytest.mark.parametrize("profile", ["small", "matrix", "reference", "20"])
def test_the_emitted_folder_is_a_whole_site(home: Instance, profile: str) -> None:
    site = _emit(home, profile)
    assert [machine.name for machine in site.machines] == [host.name for host in hosts_of(profile)]
    assert "\nsize: small\n" in (home.inventory / "site.yaml").read_text("utf-8")


def test_every_host_has_its_key_in_known_hosts(home: Instance) -> None:
    site = _emit(home, "small")
    lines = (home.inventory / "known_hosts").read_text("utf-8").splitlines()
    assert [line.split()[0] for line in lines] == [machine.hostname for machine in site.machines]
    assert (home.inventory / "known_hosts").stat().st_mode & 0o777 == 0o600


def test_the_deployers_key_is_readable_by_its_owner_only(home: Instance) -> None:
    _emit(home, "small")
    assert home.key.stat().st_mode & 0o777 == 0o600


def test_the_deployers_key_opens_the_secrets_and_lies_outside_the_site(home: Instance) -> None:
    site = _emit(home, "small")
    assert site.settings.secrets.identity == str(home.key)
    assert not home.key.is_relative_to(site.folder)


def test_a_file_changed_by_hand_is_kept_and_named(home: Instance) -> None:
    _emit(home, "small")
    path = home.inventory / "site.yaml"
    path.write_text(path.read_text("utf-8").replace("concurrent_users: 100", "concurrent_users: 101"), "utf-8")
    assert emission.emit(home, _plan("small")) == ("site.yaml",)
    assert load_site(home.inventory).settings.concurrent_users == 101


@pytest.mark.parametrize("done", [0, 1, 2, 5, 11])
def test_a_lab_killed_between_any_two_writes_has_changed_nothing_by_hand(
    home: Instance, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    _emit(home, "small")
    identity.make(home, [host.name for host in hosts_of("matrix")])
    replace, left = Path.replace, iter(range(done))

    def replace_or_end(path: Path, target: Path) -> Path:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace_or_end)
        with pytest.raises(KeyboardInterrupt):
            emission.emit(home, _plan("matrix"))
    assert emission.emit(home, _plan("small")) == ()


def test_a_new_lab_forgets_the_state_of_former_disks_and_keeps_reports(home: Instance) -> None:
    _emit(home, "small")
    for folder in ("state", "reports"):
        (home.inventory / folder).mkdir()
        (home.inventory / folder / "file").touch()
    _emit(home, "small")
    assert not (home.inventory / "state").exists()
    assert (home.inventory / "reports/file").exists()


def test_an_added_host_joins_the_site_and_the_known_hosts(home: Instance) -> None:
    _emit(home, "small")
    host = added_host("w-9", "worker", "main", hosts_of("small"))
    identity.make(home, (host.name,))
    emission.append(home, host)
    assert load_site(home.inventory).by_name["w-9"].roles == ("worker",)
    assert "10.20.1.150 ssh-ed25519 " in (home.inventory / "known_hosts").read_text("utf-8")
    assert len((home.inventory / "known_hosts").read_text("utf-8").splitlines()) == 9


def test_the_perimeter_publishes_exactly_the_sites_external_rows(home: Instance) -> None:
    site = _emit(home, "reference")
    published = {
        (str(public), str(target), protocol, ports) for public, target, protocol, ports in perimeter.published(site)
    }
    assert {entry for entry in published if entry[0] == "198.51.100.102"} == {
        ("198.51.100.102", "10.20.1.51", "tcp", "{ 3478 }"),
        ("198.51.100.102", "10.20.1.51", "udp", "{ 3478 }"),
        ("198.51.100.102", "10.20.1.51", "tcp", "{ 5349 }"),
        ("198.51.100.102", "10.20.1.51", "udp", "{ 49152-65535 }"),
    }
    assert ("2001:db8:100::103", "fd20:1::52", "udp", "{ 7882 }") in published
    assert ("198.51.100.101", "10.20.1.21", "tcp", "{ 443 }") in published


def test_the_perimeter_drops_what_no_rule_names(home: Instance) -> None:
    text = perimeter.ruleset(_emit(home, "small"))
    assert "type filter hook forward priority filter; policy drop;" in text
    assert "type filter hook input priority filter; policy drop;" in text
    assert "9000" not in text, "the small lab has no storage server that LI might reach"


def test_the_two_views_of_names_differ(home: Instance) -> None:
    files = services.files(_emit(home, "reference"))
    main, li = files["etc/names/main.conf"], files["etc/names/li.conf"]
    assert "host-record=matrix.example.test,198.51.100.101,2001:db8:100::101" in main
    assert "host-record=matrix.example.test,10.20.2.11,fd20:2::11" in li
    assert "keyvault" not in main
    assert "listen-address=10.20.2.1" in li
    assert "listen-address=10.20.2.1\n" not in main


def test_the_site_says_what_hosts_of_a_lab_cannot_do_and_where_the_bundle_is(home: Instance) -> None:
    settings = _emit(home, "reference").settings
    assert settings.kubernetes.bundle == str(instance.BUNDLE)
    assert settings.kubernetes.runtime.cgroup_driver == "cgroupfs"
    assert not settings.kubernetes.runtime.apparmor
    assert not settings.kubernetes.runtime.lower_oom_scores
    assert settings.kubernetes.cgroup_v1
    assert settings.kubernetes.accepted_errors == ("SystemVerification",)
    assert settings.servers.time_options == ("-x",)


def test_kubelet_of_a_lab_evicts_later_than_it_would_by_itself(home: Instance) -> None:
    """All nodes share the machine's disk: a share of it would put every one under pressure at once."""
    limits = {"memory.available": "100Mi", "nodefs.available": "2Gi", "imagefs.available": "2Gi"}
    assert kubelet(_emit(home, "reference"))["evictionHard"] == limits


def test_the_reference_site_itself_asks_for_none_of_it() -> None:
    settings = loaded().settings
    assert "evictionHard" not in kubelet(loaded())
    assert settings.kubernetes.runtime.cgroup_driver == "systemd"
    assert settings.kubernetes.accepted_errors == ()
    assert settings.servers.time_options == ()


def test_both_views_know_the_apis_name(home: Instance) -> None:
    files = services.files(_emit(home, "small"))
    for view in ("main", "li"):
        assert "host-record=api.example.test,10.20.1.10" in files[f"etc/names/{view}.conf"].splitlines()
    assert "host-record=chat.example.test,198.51.100.101,2001:db8:100::101" in files["etc/names/main.conf"]
