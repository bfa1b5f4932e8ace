"""One line of known_hosts spoils no host: it is read as OpenSSH reads it, or passed over and named."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paramiko import ECDSAKey, PKey

from model.errors import HostKeyChanged, HostKeyUnknown
from model.site.known_hosts import read
from remote.host_keys import RecordedKeys
from remote.known_hosts import record, recorded, revoked
from remote.route import Route

KEY, OTHER = ECDSAKey.generate(), ECDSAKey.generate()


def line(*names: str, key: PKey = KEY, marker: str = "") -> str:
    return f"{marker}{' ' if marker else ''}{','.join(names)} {key.get_name()} {key.get_base64()}\n"


def way(path: Path) -> Route:
    return Route(name="db-1", address="192.0.2.1", port=22, username="deploy", known_hosts=path)


SPOILERS = {
    "a certificate authority": line("*", marker="@cert-authority"),
    "a revoked key": line("*", key=OTHER, marker="@revoked"),
    "an unknown marker": line("*", marker="@nothing"),
    "a name alone": "192.0.2.9\n",
    "no key": "192.0.2.9 ssh-ed25519\n",
    "a cut key": line("192.0.2.9")[:-30] + "\n",
    "a key cut by a byte": line("192.0.2.9")[:-5] + "\n",
    "no base64": "192.0.2.9 ssh-ed25519 !!!\n",
    "another kind than it says": line("192.0.2.9").replace("nistp256", "nistp384"),
    "a cut hash": line("|1|abc|def"),
    "half a hash": line("|1|abc"),
    "a kind nobody has": "192.0.2.9 ssh-nothing AAAAC3NzaC1ub3RoaW5nAAAAAWE=\n",
    "no text": "192.0.2.9 ssh-ed25519 \udcff\n",
    "a merge conflict": "<<<<<<< HEAD\n=======\n",
    "blanks and a comment": "  \n\t\n  # 192.0.2.1 nothing\n",
}


@pytest.mark.parametrize("spoiler", SPOILERS.values(), ids=SPOILERS)
@pytest.mark.parametrize("first", [True, False])
def test_whatever_else_stands_there_a_recorded_key_is_found(tmp_path: Path, spoiler: str, first: bool) -> None:
    path = tmp_path / "known_hosts"
    text = spoiler + line("192.0.2.1") if first else line("192.0.2.1") + spoiler
    path.write_text(text, "utf-8", errors="surrogateescape")
    assert recorded(path, "192.0.2.1") == (KEY,)
    RecordedKeys(way(path), recorded(path, "192.0.2.1")).missing_host_key(None, "", KEY)  # type: ignore[arg-type]
    record(path, {"192.0.2.2": OTHER})
    kept = path.read_text("utf-8", errors="surrogateescape")
    assert kept == text + line("192.0.2.2", key=OTHER)


@pytest.mark.parametrize("name", [name for name in SPOILERS if name not in ("blanks and a comment", "a revoked key")])
def test_what_is_passed_over_is_named_with_its_line(name: str) -> None:
    keys, unused = read("# mine\n" + line("192.0.2.1") + SPOILERS[name])
    if name == "a kind nobody has":
        assert [key.line for key in keys] == [2, 3]
        return
    assert [key.line for key in keys] == [2]
    assert unused[0].line == 3
    assert unused[0].why
    assert unused[0].fix


def test_an_unknown_host_is_told_of_lines_that_could_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text(line("192.0.2.9") + line("192.0.2.1")[:-10] + "\n" + SPOILERS["a certificate authority"])
    with pytest.raises(HostKeyUnknown) as caught:
        RecordedKeys(way(path), recorded(path, "192.0.2.1")).missing_host_key(None, "", KEY)  # type: ignore[arg-type]
    assert f"in {path}, line 2 has a key" in str(caught.value)
    assert "line 3" not in str(caught.value)


@pytest.mark.parametrize("names", ["192.0.2.1", "*", "192.0.2.*", "192.0.2.?", "other,192.0.2.1"])
def test_a_revoked_key_is_refused_also_where_it_is_recorded(tmp_path: Path, names: str) -> None:
    path = tmp_path / "known_hosts"
    path.write_text(line("192.0.2.1") + line("192.0.2.1", key=OTHER) + line(names, marker="@revoked"))
    assert recorded(path, "192.0.2.1") == (OTHER,)
    assert revoked(path, "192.0.2.1") == (KEY,)
    with pytest.raises(HostKeyChanged, match="revokes"):
        RecordedKeys(way(path), recorded(path, "192.0.2.1")).missing_host_key(None, "", KEY)  # type: ignore[arg-type]
    assert recorded(path, "192.0.2.1") == (OTHER,)


def test_a_key_revoked_for_another_host_is_not_revoked_here(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text(line("192.0.2.1") + line("192.0.2.2", "[192.0.2.1]:2222", marker="@revoked"))
    assert recorded(path, "192.0.2.1") == (KEY,)
    assert revoked(path, "[192.0.2.1]:2222") == (KEY,)


def test_names_are_those_that_ssh_keygen_hashes(tmp_path: Path, debian_tools: None) -> None:
    path = tmp_path / "known_hosts"
    path.write_text(line("192.0.2.1") + line("[192.0.2.2]:2222", key=OTHER))
    subprocess.run(("ssh-keygen", "-H", "-f", str(path)), check=True, capture_output=True)
    assert "192.0.2" not in path.read_text()
    assert recorded(path, "192.0.2.1") == (KEY,)
    assert recorded(path, "[192.0.2.2]:2222") == (OTHER,)
    assert recorded(path, "192.0.2.2") == ()
    record(path, {"192.0.2.1": OTHER})
    assert recorded(path, "192.0.2.1") == (OTHER,)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_text_ends_in_an_exception(text: str) -> None:
    keys, unused = read(text)
    lines = [*(key.line for key in keys), *(line.line for line in unused)]
    assert all(1 <= line <= len(text.split("\n")) for line in lines)
