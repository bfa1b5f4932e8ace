"""Claims about the scheduled identity on the controller's side: its key alone, and no program brought along."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from flows._fleet.inventory import inventory
from model.errors import CommandFailed, Unreachable
from remote.collector.session import collect
from remote.installed import assume, program
from remote.route import route
from remote.shell import run
from tests.remote.conftest import USER, SshServer, keygen
from tests.remote.sites import write_site


def test_it_takes_its_key_and_leaves_everybody_elses(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", {"a": 22}, {}, tmp_path / "deployer")
    defaults = yaml.safe_load((site / "defaults.yaml").read_text("utf-8"))
    (site / "defaults.yaml").write_text(yaml.safe_dump({**defaults, "password": "hunter2"}), "utf-8")
    host = inventory(site).inventory.hosts["a"]
    assert route(host).password == "hunter2"
    assert program(host, "collector") is None
    assume(host, "matrix-fleet", tmp_path / "own")
    way = route(host)
    assert (way.username, way.key_files, way.agent) == ("matrix-fleet", (tmp_path / "own",), False)
    assert not way.password
    assert way.known_hosts == site / "known_hosts"
    assert program(host, "collector") == ("/usr/local/lib/matrix-fleet/collector",)


def test_another_key_does_not_help_it(tmp_path: Path, sshd: SshServer, login_key: Path) -> None:
    site = write_site(tmp_path / "site", {"a": sshd.port}, {sshd.port: sshd.host_key}, login_key)
    host = inventory(site).inventory.hosts["a"]
    assert run(host, ("true",)).exit_code == 0
    host.close_connections()
    keygen(tmp_path / "other")
    assume(host, USER, tmp_path / "other")
    with pytest.raises(Unreachable):
        run(host, ("true",))


def test_where_nothing_was_installed_it_says_by_which_flow(tmp_path: Path, sshd: SshServer, login_key: Path) -> None:
    site = write_site(tmp_path / "site", {"a": sshd.port}, {sshd.port: sshd.host_key}, login_key)
    host = inventory(site).inventory.hosts["a"]
    assume(host, USER, login_key)
    with pytest.raises(CommandFailed) as caught:
        collect(host, {})
    assert "/usr/local/lib/matrix-fleet/collector" in caught.value.message
    assert "flows.schedule hosts" in caught.value.next_step
    host.close_connections()
