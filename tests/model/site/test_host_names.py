"""A name that a person, a shell, ssh or a reader of YAML could take for something else is no host's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model.errors import SchemaErrors
from model.site.load import load_site
from tests.mutation import REFERENCE, write

ENTRY = {"hostname": "10.20.1.99", "groups": ["worker"], "data": {"addresses": {"main": ["10.20.1.99"]}}}
YAML_WORDS = ("null", "yes", "no", "on", "off", "true", "false", "y", "n")


def _errors(folder: Path, **case: Any) -> list[tuple[str, str]]:
    with pytest.raises(SchemaErrors) as caught:
        load_site(write(folder, case))
    return [(error.file, error.path) for error in caught.value.errors]


@pytest.mark.parametrize(
    "name", ["controller", "internet", "nodes", "pods", "vantage", "management", "all", "localhost", *YAML_WORDS]
)
def test_a_word_of_the_matrix_of_reports_or_of_yaml_is_no_host(tmp_path: Path, name: str) -> None:
    assert _errors(tmp_path, set={f"hosts:{name}": ENTRY}) == [("hosts.yaml", name)]


@pytest.mark.parametrize("name", YAML_WORDS)
def test_also_without_quotes(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path, {})
    entry = "{hostname: 10.20.1.99, groups: [worker], data: {addresses: {main: [10.20.1.99]}}}"
    with (folder / "hosts.yaml").open("a") as file:
        file.write(f"{name}: {entry}\n")
    with pytest.raises(SchemaErrors) as caught:
        load_site(folder)
    (error,) = caught.value.errors
    lines = (folder / "hosts.yaml").read_text("utf-8").splitlines()
    assert (error.file, error.path, error.line) == ("hosts.yaml", name, len(lines))
    assert "another name" in error.fix


def test_a_name_that_only_begins_with_such_a_word_is_one(tmp_path: Path) -> None:
    loaded = load_site(write(tmp_path, {"set": {"hosts:nodes-1": ENTRY, "hosts:controller-2": ENTRY}}))
    assert {"nodes-1", "controller-2"} <= set(loaded.by_name)


@pytest.mark.parametrize(
    "hostname",
    [
        "-oProxyCommand=touch /tmp/x",
        "-v",
        "a b",
        "a;id",
        "$(id)",
        "`id`",
        "a|b",
        "a&b",
        "user@host",
        "host:22/",
        "a'b",
        "a\nb",
        "a\\b",
        "10.1",
        "10.20.1",
        "10.20.1.011",
        "0x0a.1.1.1",
        "167772161",
        "10.20.1.300",
        "",
    ],
)
def test_an_address_that_ssh_or_a_shell_could_misread_is_refused(tmp_path: Path, hostname: str) -> None:
    assert _errors(tmp_path, set={"hosts:w-1.hostname": hostname}) == [("hosts.yaml", "w-1.hostname")]


@pytest.mark.parametrize(
    "hostname",
    ["w-1", "w_1", "W1.example.org", "w1.example.org.", "10.20.1.21", "fd00::1", "::1", "fe80::1%eth0", "1a"],
)
def test_names_and_addresses_of_every_kind_are_reached(tmp_path: Path, hostname: str) -> None:
    assert load_site(write(tmp_path, {"set": {"hosts:w-1.hostname": hostname}})).by_name["w-1"].hostname == hostname


@pytest.mark.parametrize("user", ["-l", "a b", "a;b", "$USER", "root`id`", "a/b", "a:b", "a\\b", "a\nb", "", "#1"])
def test_a_user_that_ssh_or_a_shell_could_misread_is_refused(tmp_path: Path, user: str) -> None:
    places = {
        "hosts:w-1.username": ("hosts.yaml", "w-1.username"),
        "groups:worker.username": ("groups.yaml", "worker.username"),
        "defaults:username": ("defaults.yaml", "username"),
        "site:servers": ("site.yaml", "servers.administrators.0"),
    }
    for number, (place, at) in enumerate(places.items()):
        value = {"administrators": [user]} if place == "site:servers" else user
        assert at in _errors(tmp_path / str(number), set={place: value})


@pytest.mark.parametrize("user", ["deploy", "root", "_x", "a.b", "a-b", "jo@example.org", "Jo1"])
def test_users_of_every_kind_log_in(tmp_path: Path, user: str) -> None:
    load_site(write(tmp_path, {"set": {"defaults:username": user}}))


def test_connection_options_are_held_to_the_same(tmp_path: Path) -> None:
    for number, (field, value) in enumerate((("username", "-l"), ("hostname", "-v"), ("port", "22"))):
        options = {"netmiko": {field: value}}
        errors = _errors(tmp_path / str(number), set={"defaults:connection_options": options})
        assert errors == [("defaults.yaml", f"connection_options.netmiko.{field}")]
    load_site(
        write(tmp_path / "ok", {"set": {"defaults:connection_options": {"netmiko": {"extras": {"key_file": "k"}}}}})
    )


def test_the_reference_site_has_good_names() -> None:
    assert load_site(REFERENCE).by_name
