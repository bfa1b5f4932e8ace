"""Inventory and ssh_config together: who wins, and what a jump host is asked."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from model.errors import Unreachable
from remote.route import Route, resolve, resolve_hops
from remote.ssh_config import Hop, SshSettings, command_argv, parse, parse_hops


def route_to(folder: Path, config: str, hostname: str, **options: Any) -> Route:
    path = folder / "ssh_config"
    path.write_text(config)
    extras = {"name": "h-1", "alt_key_file": str(folder / "known"), "ssh_config_file": str(path)}
    return resolve(hostname, options.pop("username", None), None, options.pop("port", None), extras | options)


def test_without_ssh_config_the_inventory_is_all(tmp_path: Path) -> None:
    extras = {"name": "db-1", "alt_key_file": str(tmp_path / "known"), "key_file": "/keys/mine"}
    route = resolve("192.0.2.7", "deploy", None, 2222, extras)
    assert (route.address, route.port, route.username) == ("192.0.2.7", 2222, "deploy")
    assert (route.key_files, route.agent, route.proxy) == ((Path("/keys/mine"),), False, ())
    assert route.known_as == "[192.0.2.7]:2222"


def test_the_usual_port_is_known_by_the_bare_name(tmp_path: Path) -> None:
    assert resolve("192.0.2.7", "deploy", None, None, {"alt_key_file": str(tmp_path)}).known_as == "192.0.2.7"


def test_ssh_config_fills_what_the_inventory_leaves_open(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("")
    config = f"Host db\n HostName 192.0.2.7\n Port 2200\n User maria\n IdentityFile {key}\n IdentitiesOnly yes\n"
    route = route_to(tmp_path, config, "db")
    assert (route.address, route.port, route.username) == ("192.0.2.7", 2200, "maria")
    assert (route.key_files, route.agent) == ((key,), False)


def test_the_inventory_wins_over_ssh_config(tmp_path: Path) -> None:
    config = "Host *\n Port 2200\n User maria\n"
    route = route_to(tmp_path, config, "192.0.2.7", username="deploy", port=22, key_file="/keys/mine")
    assert (route.port, route.username, route.key_files) == (22, "deploy", (Path("/keys/mine"),))


def test_included_files_count(tmp_path: Path) -> None:
    (tmp_path / "more").write_text("Host db\n Port 2300\n")
    assert route_to(tmp_path, f"Include {tmp_path}/more\n", "db").port == 2300


def test_a_jump_hosts_key_is_checked_and_nothing_is_asked(tmp_path: Path) -> None:
    route = route_to(tmp_path, "Host 192.0.2.*\n ProxyJump ann@bastion:2022\n", "192.0.2.7", key_file="/keys/mine")
    words = list(route.proxy)
    assert words[-7:] == ["192.0.2.7:22", "-l", "ann", "-p", "2022", "--", "bastion"]
    assert "StrictHostKeyChecking=yes" in words
    assert "BatchMode=yes" in words
    assert f'UserKnownHostsFile="{tmp_path}/known"' in " ".join(words)
    assert words[words.index("-i") + 1] == "/keys/mine"


def test_several_hops_are_nested_each_strict(tmp_path: Path) -> None:
    route = route_to(tmp_path, "Host 192.0.2.*\n ProxyJump one,two\n", "192.0.2.7")
    assert route.proxy[-1] == "two"
    inner = next(word for word in route.proxy if word.startswith("ProxyCommand="))
    words = shlex.split(inner.removeprefix("ProxyCommand="))
    assert words[-1] == "one"
    assert words[words.index("-W") + 1] == "two:22"
    assert "StrictHostKeyChecking=yes" in words


def test_the_jump_host_itself_is_reached_directly(tmp_path: Path) -> None:
    config = "Host 192.0.2.*\n ProxyJump 192.0.2.1\n"
    assert route_to(tmp_path, config, "192.0.2.1").proxy == ()
    through = route_to(tmp_path, config, "192.0.2.7")
    assert through.proxy[-1] == "192.0.2.1"
    assert "ProxyJump=none" in through.proxy


def test_a_proxy_command_gets_its_tokens(tmp_path: Path) -> None:
    route = route_to(tmp_path, "Host db\n HostName 192.0.2.7\n ProxyCommand nc %h %p 2>&1\n", "db")
    assert route.proxy == ("/bin/sh", "-c", "exec nc 192.0.2.7 22 2>&1")


def proxied(address: str) -> SshSettings:
    """Return what ssh_config says of a host that a proxy command reaches."""
    return SshSettings(
        address=address,
        port=22,
        username="root",
        key_files=(),
        identities_only=False,
        known_hosts=(),
        proxy_jump="",
        proxy_command="nc %h %p",
    )


@pytest.mark.parametrize("address", ["a;b", "$(id)", "-oProxyCommand=x", "a b", "`id`", "a'b"])
def test_no_name_becomes_shell_code(address: str) -> None:
    with pytest.raises(Unreachable, match="cannot be handed to a ProxyCommand"):
        command_argv("h-1", proxied(address))


@pytest.mark.parametrize("address", ["192.0.2.7", "fd00::1", "::1", "fe80::1%eth0", "db-1.example.org"])
def test_ordinary_names_reach_a_proxy_command(address: str) -> None:
    assert command_argv("h-1", proxied(address))[2] == f"exec nc {address} 22"


def test_hops_are_read_as_openssh_writes_them() -> None:
    assert parse_hops("h", "ann@[fd00::1]:2022,bastion") == (Hop("fd00::1", 2022, "ann"), Hop("bastion", None, None))
    assert parse_hops("h", "deploy@[192.0.2.1]") == (Hop("192.0.2.1", None, "deploy"),)
    with pytest.raises(Unreachable, match="ProxyJump"):
        parse_hops("h", "a:b:c")


def test_none_means_no_proxy() -> None:
    settings = parse("hostname a\nport 22\nuser u\nproxyjump none\nproxycommand none\n")
    assert (settings.proxy_jump, settings.proxy_command) == ("", "")


def test_a_broken_ssh_config_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"ssh refuses .*ssh_config"):
        route_to(tmp_path, "Nonsense yes\n", "db")


def test_a_missing_ssh_config_is_named(tmp_path: Path) -> None:
    extras = {"name": "h-1", "alt_key_file": str(tmp_path), "ssh_config_file": str(tmp_path / "gone")}
    with pytest.raises(Unreachable, match="gone does not exist"):
        resolve("db", None, None, None, extras)


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    assert "hunter2" not in repr(resolve("db", "u", "hunter2", 22, {"alt_key_file": str(tmp_path)}))


def hops_of(folder: Path, config: str, hostname: str) -> tuple[Route, ...]:
    path = folder / "ssh_config"
    path.write_text(config)
    extras = {"name": "h-1", "alt_key_file": str(folder / "known"), "ssh_config_file": str(path)}
    return resolve_hops(hostname, None, None, extras)


def test_each_jump_host_is_reached_through_those_before_it(tmp_path: Path) -> None:
    config = "Host h\n ProxyJump a,b:2022\nHost a\n HostName 192.0.2.1\n ProxyJump c\nHost c\n ProxyCommand nc %h %p\n"
    first, second, third = hops_of(tmp_path, config, "h")
    assert [way.known_as for way in (first, second, third)] == ["c", "192.0.2.1", "[b]:2022"]
    assert first.proxy == ("/bin/sh", "-c", "exec nc c 22")
    assert (second.proxy[-1], second.proxy[second.proxy.index("-W") + 1]) == ("c", "192.0.2.1:22")
    assert (third.proxy[-1], third.proxy[third.proxy.index("-W") + 1]) == ("a", "b:2022")
    assert "StrictHostKeyChecking=yes" in third.proxy, "each is asked for its key through recorded ones alone"
    assert third.via == "c,a"


def test_a_host_without_jump_hosts_has_none(tmp_path: Path) -> None:
    assert hops_of(tmp_path, "Host *\n User maria\n", "192.0.2.7") == ()
    assert resolve_hops("192.0.2.7", None, None, {"alt_key_file": str(tmp_path)}) == ()
