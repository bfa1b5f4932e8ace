"""
Claims about setting compliance up to run by itself that need no host: what is refused, what is granted, what units say.
"""

from __future__ import annotations

import configparser
import os
import pwd
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows import compliance, schedule
from flows._compliance.sources import declared_files
from flows._run.cli import execute
from flows._schedule.access import grant, grants, shut
from flows._schedule.identity import setting_of
from flows._schedule.machine import obstacles
from model.site.derived import DerivedImage
from model.site.load import load_site
from model.site.site import ApplicationSpec, Site
from tasks.schedule_units import Setting, all_units, units
from tests.checks.certificates import issued
from tests.flows.plumbing import site

# An account of every Debian, to stand for the scheduled one.
USER = "games"
MATRIX = {"kind": "matrix", "homeserver": "https://m.test", "room": "!a", "token_file": "token"}


def declared(folder: Path, **compliance_: Any) -> tuple[Site, Setting]:
    """Write a site with these settings of compliance where every account may pass."""
    place = folder / "declared"
    place.mkdir(exist_ok=True)
    target = place / "site"
    if not target.exists():
        site(place)
    path = target / "site.yaml"
    settings = yaml.safe_load(path.read_text("utf-8"))
    path.write_text(yaml.safe_dump({**settings, "compliance": {"schedule": {"user": USER}, **compliance_}}), "utf-8")
    loaded = load_site(target)
    return loaded, setting_of(loaded, target, Path("/usr/bin/python3"))


@pytest.fixture
def folder(real_machine: None) -> Any:
    """A folder that every account may pass through, unlike pytest's own."""
    path = Path(f"/srv/matrix-fleet-test-{os.getpid()}")
    path.mkdir(mode=0o755)
    # The checkout of a developer may lie in a home; what is judged here is the site.
    checkout = path / "checkout"
    (checkout / "flows").mkdir(parents=True)
    (checkout / "flows" / "compliance.py").touch()
    yield path
    shutil.rmtree(path)


def at(folder: Path, setting: Setting, **changes: Any) -> Setting:
    """Return the setting with the program in the folder."""
    return replace(setting, checkout=folder / "checkout", **changes)


def test_a_site_in_a_place_that_everybody_may_pass_is_no_obstacle(folder: Path) -> None:
    loaded, setting = declared(folder)
    assert list(shut(loaded, at(folder, setting))) == []
    assert not grants(loaded, at(folder, setting))


def test_what_only_its_owner_may_read_is_granted_to_the_group_and_no_private_key_is(folder: Path) -> None:
    tls = {"method": "organisation", "certificate": "site.pem", "private_key": "site.key", "li_method": "internal-ca"}
    loaded, setting = declared(folder, notify=[MATRIX])
    settings = loaded.settings.model_copy(update={"tls": loaded.settings.tls.model_copy(update=tls)})
    loaded, here = replace(loaded, settings=settings), setting.inventory
    for name in ("site.pem", "site.key", "token", "known_hosts"):
        (here / name).touch(0o600)
    todo = grants(loaded, at(folder, setting))
    assert {path.name for path in todo.files} == {"site.pem", "known_hosts"}
    assert {path.name for path in todo.tokens} == {"token"}
    grant(todo, USER)
    assert not grants(loaded, at(folder, setting))
    entry = pwd.getpwnam(USER)
    assert [(here / name).stat().st_mode & 0o777 for name in ("known_hosts", "site.key", "token")] == [
        0o640,
        0o600,
        0o600,
    ]
    assert (here / "token").stat().st_uid == entry.pw_uid
    assert (here / "site.key").stat().st_gid != entry.pw_gid
    assert list(shut(loaded, at(folder, setting))) == []


@pytest.mark.parametrize(
    ("mode", "owner", "says"),
    [(0o640, 0, "can be read by others"), (0o600, 12345, "belongs to"), (None, 0, "No such file")],
)
def test_a_token_that_cannot_be_used_is_found_before_anything_is_touched(
    folder: Path, mode: int | None, owner: int, says: str
) -> None:
    loaded, setting = declared(folder, notify=[MATRIX])
    if mode is not None:
        (setting.inventory / "token").touch(mode)
        (setting.inventory / "token").chmod(mode)
        os.chown(setting.inventory / "token", owner if owner == 0 else pwd.getpwnam("nobody").pw_uid, -1)
    (obstacle,) = shut(loaded, at(folder, setting))
    assert says in obstacle


def test_a_folder_on_the_way_and_a_file_of_another_group_are_told_of(folder: Path) -> None:
    loaded, setting = declared(folder)
    setting.inventory.chmod(0o700)
    assert any(
        f"{setting.inventory} lets {USER} not through" in obstacle for obstacle in shut(loaded, at(folder, setting))
    )
    setting.inventory.chmod(0o755)
    (setting.inventory / "hosts.yaml").chmod(0o640)
    os.chown(setting.inventory / "hosts.yaml", -1, 4)
    assert any("is for the group adm" in obstacle for obstacle in shut(loaded, at(folder, setting)))
    (folder / "checkout/flows/compliance.py").chmod(0o600)
    assert any("chmod -R o+rX" in obstacle for obstacle in shut(loaded, at(folder, setting)))


@pytest.mark.parametrize("place", ["/root/site", "/home/jo/site", "/run/user/0/site", "/srv/a b", "/srv/a%n"])
def test_a_place_that_the_service_does_not_see_or_a_unit_cannot_name_is_refused(
    folder: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, setting = declared(folder)
    monkeypatch.setattr("flows._schedule.machine.on_systemd", lambda: True)
    monkeypatch.setattr("flows._schedule.machine.shut", lambda _site, _setting: ())
    refusals = obstacles(loaded, at(folder, setting, inventory=Path(place)))
    assert any(place in line for line in refusals)


def _parsed(text: str) -> configparser.ConfigParser:
    """Read a unit; systemd allows a key twice."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return parser


def _files(setting: Setting) -> dict[str, str]:
    return {Path(file.path).name: file.text for file in units(setting).files}


def test_nobody_to_tell_means_no_notifier_and_an_old_one_goes(folder: Path) -> None:
    _, setting = declared(folder)
    assert set(_files(setting)) == {setting.service, setting.timer}
    assert units(setting).absent == (f"/etc/systemd/system/{setting.notify}",)
    assert "OnSuccess" not in _files(setting)[setting.service]


def test_the_service_tries_the_gates_before_compliance_and_goes_on_whatever_comes_of_it(folder: Path) -> None:
    _, setting = declared(folder)
    lines = [line for line in _files(setting)[setting.service].splitlines() if line.startswith("ExecStart=")]
    assert [line.partition(" -m ")[2].split()[:2] for line in lines] == [
        [f"flows.{flow}", "--scheduled"] for flow in ("verify_ports", "validate", "compliance")
    ]
    assert [line.startswith("ExecStart=-") for line in lines] == [True, True, False]


def test_a_site_without_components_has_no_gates_to_try(folder: Path) -> None:
    loaded, setting = declared(folder)
    bare = setting_of(replace(loaded, application=ApplicationSpec()), setting.inventory, setting.python)
    assert "flows.validate" not in _files(bare)[bare.service]


def test_files_of_the_application_are_read_by_the_account_too(folder: Path) -> None:
    loaded, setting = declared(folder)
    path = setting.inventory / "components.yaml"
    path.touch()
    path.chmod(0o600)
    assert path in grants(loaded, at(folder, setting)).files


def test_a_lock_file_of_the_sites_own_is_read_by_the_account_too(folder: Path) -> None:
    loaded, setting = declared(folder)
    derived = DerivedImage(requirements="own.lock", into="usr/lib/python3/dist-packages")
    images = {name: image.model_copy(update={"derived": derived}) for name, image in loaded.images.items()}
    loaded = replace(loaded, application=replace(loaded.application, images=images))
    path = setting.inventory / "own.lock"
    assert path not in grants(loaded, at(folder, setting)).files
    path.touch()
    path.chmod(0o600)
    assert path in grants(loaded, at(folder, setting)).files


def test_a_room_alone_keeps_the_notifier_as_confined_as_compliance(folder: Path) -> None:
    _, setting = declared(folder, notify=[MATRIX])
    service, notify = (_parsed(_files(setting)[name])["Service"] for name in (setting.service, setting.notify))
    for key in ("NoNewPrivileges", "ProtectSystem", "CapabilityBoundingSet", "ReadWritePaths", "SystemCallFilter"):
        assert notify[key] == service[key]
    assert service["ReadWritePaths"] == f"{setting.inventory}/reports"


def test_mail_needs_its_servers_own_rights_and_takes_none_from_compliance_itself(folder: Path) -> None:
    _, setting = declared(folder, notify=[MATRIX, {"kind": "mail", "to": ["a@b"]}])
    service, notify = (_parsed(_files(setting)[name])["Service"] for name in (setting.service, setting.notify))
    assert "NoNewPrivileges" not in notify
    assert service["NoNewPrivileges"] == "yes"
    assert notify["User"] == USER


def test_systemd_understands_every_unit(folder: Path, tmp_path: Path) -> None:
    _, setting = declared(folder, notify=[MATRIX, {"kind": "mail", "to": ["a@b"]}], textfile="/var/lib/x/y.prom")
    for name, text in _files(setting).items():
        (tmp_path / name).write_text(text.replace(str(folder / "checkout"), "/"), "utf-8")
    names = [str(tmp_path / name.replace("@", "@success")) for name in _files(setting)]
    shutil.copy(tmp_path / setting.notify, tmp_path / setting.notify.replace("@", "@success"))
    done = subprocess.run(
        ("systemd-analyze", "verify", "--man=no", *names), capture_output=True, text=True, timeout=60, check=False
    )
    complaints = [
        line for line in done.stderr.splitlines() if "matrix-fleet" in line and "is not executable" not in line
    ]
    assert complaints == []
    assert "ReadWritePaths=-/var/lib/x" in _files(setting)[setting.service]
    assert set(all_units(setting)) >= {setting.service, setting.timer}


def test_without_a_schedule_in_the_site_nothing_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = site(tmp_path)
    assert execute(schedule.main, "flows.schedule", ("status", "--inventory", str(place))) == 1
    assert "compliance.schedule" in capsys.readouterr().err


def test_without_systemd_the_status_says_so_at_once_and_asks_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: Any, **__: Any) -> None:
        raise AssertionError("something was asked")

    place = site(tmp_path)
    with (place / "site.yaml").open("a") as file:
        file.write("compliance: {schedule: {}}\n")
    monkeypatch.setattr("flows._schedule.installation.on_systemd", lambda: False)
    monkeypatch.setattr("flows._schedule.installation.this_machine.enforce", nobody)
    monkeypatch.setattr("flows._schedule.installation.at_work", nobody)
    assert execute(schedule.main, "flows.schedule", ("status", "--inventory", str(place))) == 3
    assert "this machine is not run by systemd" in capsys.readouterr().out


def test_the_scheduled_look_mends_nothing_and_needs_its_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = site(tmp_path)
    path = place / "site.yaml"
    path.write_text(path.read_text("utf-8") + "compliance: {schedule: {}}\n", "utf-8")
    assert execute(compliance.main, "flows.compliance", ("--scheduled", "--fix", "--inventory", str(place))) == 1
    assert "--fix is for another run" in capsys.readouterr().err
    assert execute(compliance.main, "flows.compliance", ("--scheduled", "--inventory", str(place))) == 1
    assert "cannot be read here" in capsys.readouterr().err


def test_what_the_account_may_not_read_of_the_site_is_told_apart_from_what_is_wrong(folder: Path) -> None:
    names = {"certificate": "site.pem", "private_key": "site.key"}
    loaded, setting = declared(folder)
    tls = loaded.settings.tls.model_copy(update=names)
    loaded = replace(loaded, settings=loaded.settings.model_copy(update={"tls": tls}))
    for name, text in zip(names.values(), issued(("matrix.example.test",), 300), strict=True):
        (setting.inventory / name).write_text(text)
    (setting.inventory / "site.key").chmod(0o600)
    assert declared_files(loaded, setting.inventory).key_fits is True
    os.seteuid(pwd.getpwnam(USER).pw_uid)
    try:
        seen = declared_files(loaded, setting.inventory)
    finally:
        os.seteuid(0)
    assert (seen.key_fits, seen.hidden) == (None, "the account that looks may not read it")
    assert not isinstance(seen.certificate, str)
