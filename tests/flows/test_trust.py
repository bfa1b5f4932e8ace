"""Host keys are recorded once, shown, and a changed one is refused: against real servers."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows import trust as flow
from flows._run.cli import execute
from tests.remote.conftest import SshServer, free_port, keygen, serve

ROOT = Path(__file__).parent.parent.parent
HOSTS = "db-1,db-2"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, real_machine: None) -> Iterator[tuple[SshServer, SshServer]]:
    folder = tmp_path_factory.mktemp("servers")
    keygen(folder / "login")
    both = serve(folder / "one", folder / "login"), serve(folder / "two", folder / "login")
    yield both
    for server in both:
        server.process.kill()
        server.process.wait()


@pytest.fixture
def site(tmp_path: Path, servers: tuple[SshServer, SshServer]) -> Path:
    """The reference site, with two of its hosts reached on loopback."""
    folder = tmp_path / "site"
    folder.mkdir()
    for file in (ROOT / "inventory").glob("*.yaml"):
        shutil.copy(file, folder)
    hosts = yaml.safe_load((folder / "hosts.yaml").read_text())
    for name, server in zip(HOSTS.split(","), servers, strict=True):
        hosts[name] |= {"hostname": "127.0.0.1", "port": server.port}
    (folder / "hosts.yaml").write_text(yaml.safe_dump(hosts))
    return folder


def trust(site: Path, *words: str) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Run the flow without a terminal; return exit code, report, and outcomes by host."""
    argv = ("--inventory", str(site), "--json", "-", "--limit", HOSTS, *words)
    with contextlib.redirect_stdout(io.StringIO()) as output:
        code = execute(flow.main, "flows.trust", argv)
    report = json.loads(output.getvalue())
    assert code == report["exit"]
    return code, report, {outcome["host"]: outcome for outcome in report["outcomes"]}


def test_without_yes_and_terminal_unknown_keys_are_only_shown(site: Path, servers: tuple[SshServer, SshServer]) -> None:
    code, _, outcomes = trust(site)
    assert code == 2
    assert outcomes["db-1"]["status"] == "drift"
    assert "ssh-ed25519 SHA256:" in outcomes["db-1"]["message"]
    shown = subprocess.run(("ssh-keygen", "-l", "-f", "-"), input=servers[0].host_key.encode(), capture_output=True)
    assert shown.stdout.split()[1].decode() in outcomes["db-1"]["message"]
    assert not (site / "known_hosts").exists()


def test_with_yes_keys_are_recorded_and_then_known(site: Path, servers: tuple[SshServer, SshServer]) -> None:
    code, report, outcomes = trust(site, "--yes")
    assert (code, report["good"]) == (0, True)
    assert {outcome["status"] for outcome in outcomes.values()} == {"changed"}
    known = site / "known_hosts"
    assert known.read_text() == "".join(f"[127.0.0.1]:{server.port} {server.host_key}\n" for server in servers)
    assert stat.S_IMODE(known.stat().st_mode) == 0o600
    before = known.stat()
    code, _, outcomes = trust(site, "--yes")
    assert code == 0
    assert {outcome["status"] for outcome in outcomes.values()} == {"ok"}
    assert known.stat() == before


def test_replace_says_that_it_is_consent(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(flow.main, "flows.trust", ["--help"]) == 0
    assert "consent" in capsys.readouterr().out


def test_a_dry_run_records_nothing(site: Path) -> None:
    code, _, outcomes = trust(site, "--yes", "--dry-run")
    assert code == 2
    assert outcomes["db-2"]["status"] == "drift"
    assert not (site / "known_hosts").exists()
    assert not (site / "state").exists()


def test_a_changed_key_is_refused_until_replaced_by_name(
    site: Path, servers: tuple[SshServer, SshServer], tmp_path: Path
) -> None:
    other = keygen(tmp_path / "other")
    known = site / "known_hosts"
    known.write_text(
        f"# mine\n[127.0.0.1]:{servers[0].port} {other}\n[127.0.0.1]:{servers[1].port} {servers[1].host_key}\n"
    )
    code, _, outcomes = trust(site, "--yes")
    assert code == 3
    assert outcomes["db-1"]["status"] == "failed"
    assert outcomes["db-1"]["message"].count("SHA256:") == 2
    assert outcomes["db-2"]["status"] == "ok"
    assert other in known.read_text()
    assert trust(site, "--replace", "db-1", "--dry-run")[0] == 2
    code, _, outcomes = trust(site, "--replace", "db-1")
    assert (code, outcomes["db-1"]["status"]) == (0, "changed")
    text = known.read_text()
    assert text.startswith("# mine\n")
    assert servers[0].host_key in text
    assert other not in text


def test_a_revoked_key_is_refused_whatever_is_said(site: Path, servers: tuple[SshServer, SshServer]) -> None:
    known = site / "known_hosts"
    known.write_text(f"@revoked * {servers[0].host_key}\n@cert-authority * {servers[1].host_key}\nhalf a line\n")
    before = known.read_text()
    code, _, outcomes = trust(site, "--yes", "--replace", "db-1")
    assert code == 3
    assert "revokes" in outcomes["db-1"]["message"]
    assert outcomes["db-2"]["status"] == "changed"
    assert known.read_text() == f"{before}[127.0.0.1]:{servers[1].port} {servers[1].host_key}\n"


def test_a_host_that_is_down_hides_no_other(site: Path) -> None:
    hosts = yaml.safe_load((site / "hosts.yaml").read_text())
    hosts["db-1"]["port"] = free_port()
    (site / "hosts.yaml").write_text(yaml.safe_dump(hosts))
    code, _, outcomes = trust(site, "--yes")
    assert code == 3
    assert outcomes["db-1"]["status"] == "failed"
    assert "Connection refused" in outcomes["db-1"]["message"]
    assert outcomes["db-2"]["status"] == "changed"


def test_replacing_a_host_that_was_not_selected_is_an_error(site: Path) -> None:
    assert trust(site, "--replace", "cp-1")[0] == 1


def test_hashed_and_joint_names_are_replaced_too(tmp_path: Path) -> None:
    from paramiko import HostKeys, PKey

    from remote.known_hosts import record, recorded

    keygen(tmp_path / "a")
    keygen(tmp_path / "b")
    old, new = PKey.from_path(tmp_path / "a"), PKey.from_path(tmp_path / "b")
    path = tmp_path / "known_hosts"
    hashed = HostKeys.hash_host("[192.0.2.1]:2222")
    path.write_text(
        f"{hashed} {old.get_name()} {old.get_base64()}\nother,192.0.2.2 {old.get_name()} {old.get_base64()}\n"
    )
    assert recorded(path, "[192.0.2.1]:2222") == (old,)
    record(path, {"[192.0.2.1]:2222": new})
    assert recorded(path, "[192.0.2.1]:2222") == (new,)
    assert recorded(path, "192.0.2.2") == (old,)
    record(path, {"192.0.2.2": new})
    assert recorded(path, "192.0.2.2") == (new,)
    assert recorded(path, "other") == (old,)


def test_on_a_terminal_a_person_is_asked(site: Path) -> None:
    for answer, code, recorded_now in (("n", 2, False), ("y", 0, True)):
        argv = (sys.executable, "-m", "flows.trust", "--inventory", str(site), "--limit", HOSTS)
        controller, terminal = pty.openpty()
        with subprocess.Popen(
            argv, cwd=ROOT, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            os.write(controller, f"{answer}\n".encode())
            output, shown = process.communicate(timeout=60)
        os.close(controller)
        os.close(terminal)
        assert process.returncode == code
        assert shown.count(b"SHA256:") == 2
        assert b"Record these 2 keys?" in shown
        assert b"--yes" not in output + shown
        assert (site / "known_hosts").exists() is recorded_now


@pytest.mark.machine
def test_whoever_could_read_the_recorded_keys_can_read_the_new_ones(tmp_path: Path) -> None:
    from paramiko import ECDSAKey

    from remote.known_hosts import record

    path, key = tmp_path / "known_hosts", ECDSAKey.generate()
    record(path, {"one": key})
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    os.chown(path, -1, 4)
    record(path, {"two": key})
    assert (path.stat().st_mode & 0o777, path.stat().st_gid) == (0o640, 4)


def _behind(site: Path, servers: tuple[SshServer, SshServer], known: str = "") -> Path:
    """Put db-1 behind the other server, which is none of the site's."""
    hosts = yaml.safe_load((site / "hosts.yaml").read_text())
    hosts["db-1"] |= {"hostname": "target", "port": servers[0].port}
    (site / "hosts.yaml").write_text(yaml.safe_dump(hosts))
    config, own = site / "ssh_config", site / "own_known"
    own.write_text(known)
    config.write_text(
        f"Host target\n HostName 127.0.0.1\n ProxyJump jump\nHost jump\n HostName 127.0.0.1\n Port {servers[1].port}\n"
        f"Host *\n User root\n IdentityFile {servers[0].login_key}\n UserKnownHostsFile {own}\n"
    )
    defaults = yaml.safe_load((site / "defaults.yaml").read_text())
    defaults["data"] = (defaults.get("data") or {}) | {"ssh_config": "ssh_config"}
    (site / "defaults.yaml").write_text(yaml.safe_dump(defaults))
    return site


def _told(site: Path, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    argv = ("--inventory", str(site), "--json", "-", "--limit", "db-1", *words)
    with contextlib.redirect_stdout(io.StringIO()) as output:
        code = execute(flow.main, "flows.trust", argv)
    return code, {outcome["host"]: outcome for outcome in json.loads(output.getvalue())["outcomes"]}


@pytest.mark.parametrize("agreed", [False, True])
def test_the_key_of_a_jump_host_that_is_no_server_is_recorded_first(
    site: Path, servers: tuple[SshServer, SshServer], agreed: bool
) -> None:
    known_as = f"[127.0.0.1]:{servers[1].port}"
    _behind(site, servers, f"{known_as} {servers[1].host_key}\n" if agreed else "")
    code, told = _told(site)
    assert (code, told["controller"]["status"]) == (2, "drift")
    assert told["controller"]["subject"] == f"host key of jump host {known_as}"
    assert "--yes" in told["controller"]["next"]
    code, told = _told(site, "--yes")
    assert (code, {host: outcome["status"] for host, outcome in told.items()}) == (
        0,
        {"controller": "changed", "db-1": "changed"},
    )
    lines = (site / "known_hosts").read_text().splitlines()
    assert lines[0] == f"{known_as} {servers[1].host_key}"
    assert _told(site)[0] == 0


def test_a_jump_host_with_another_key_is_told_with_a_way_out(
    site: Path, servers: tuple[SshServer, SshServer], tmp_path: Path
) -> None:
    known_as = f"[127.0.0.1]:{servers[1].port}"
    (_behind(site, servers) / "known_hosts").write_text(f"{known_as} {keygen(tmp_path / 'other')}\n")
    code, told = _told(site, "--yes")
    assert (code, told["controller"]["status"], told["db-1"]["status"]) == (3, "failed", "failed")
    assert f"ssh-keygen -R {known_as}" in told["controller"]["next"]
