"""What the lab's command line says before any lab is up."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from lab import containers, controller, faults, lifecycle, plan
from lab.cli import main
from lab.errors import LabError
from lab.fault import Fault
from lab.instance import VARIABLE, Instance

COMMANDS = (
    "up", "down", "inventory", "run", "shell", "kubectl", "status", "break", "mend", "poweroff", "poweron", "reboot",
    "add",
)  # fmt: skip
EXAMPLE = Fault(id="f1", kind="drop-in", at="db-1", source="w-1", protocol="tcp", ports="5432")


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab that was never up."""
    monkeypatch.setenv(VARIABLE, "none")


@pytest.mark.parametrize("words", [(), ("fly",), ("up", "--colour"), ("break", "drop-in"), ("add", "w-2")])
def test_wrong_arguments_end_with_one(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 1
    assert "--help" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("run",), ("run", "--")])
def test_run_without_a_command_is_an_error(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 1
    assert "flows.firewall" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main((name, "--help"))
    assert ended.value.code == 0
    assert f"  .venv/bin/python -m lab {name}" in capsys.readouterr().out


def test_help_names_no_interpreter_but_the_projects(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(("--help",))
    shown = capsys.readouterr().out
    assert ".venv/bin/python -m lab run -- .venv/bin/python -m flows.firewall" in shown
    assert re.findall(r"(?m)^  python ", shown) == []


@pytest.mark.parametrize("port", ["0/tcp", "99999/tcp", "100000/udp", "9-8/tcp", "http"])
def test_a_port_that_is_none_names_the_range(port: str) -> None:
    order = faults.Order("drop-in", "db-1", "", port)
    with pytest.raises(LabError, match="1-65535"):
        faults.cause(Instance("none"), plan.fresh("small", False, "bookworm"), order)


@pytest.mark.machine
def test_break_says_what_it_broke_and_prints_the_id_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(faults, "cause", lambda *_: replace(EXAMPLE))
    monkeypatch.setattr(plan, "required", lambda _: plan.fresh("small", False, "bookworm"))
    assert main(("break", "drop-in", "--at", "db-1", "--from", "w-1", "--port", "5432/tcp")) == 0
    out, err = capsys.readouterr()
    assert out == "f1\n"
    assert "drop-in at db-1 --from w-1 --port 5432/tcp" in err


@pytest.mark.parametrize(("was", "told"), [(True, "is down"), (False, "no lab was up")])
def test_down_says_what_it_did(
    was: bool, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lifecycle, "down", lambda *_: was)
    assert main(("down",)) == 0
    assert told in capsys.readouterr().err


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[str, ...]]]:
    """What `shell` was asked for; cp-1 is down, cp-2 and cp-3 are up, cp-3 alone is in a cluster."""
    asked: list[tuple[str, tuple[str, ...]]] = []
    monkeypatch.setattr(plan, "required", lambda _: plan.fresh("small", False, "bookworm"))
    monkeypatch.setattr(containers, "leader", lambda _, host: 0 if host == "cp-1" else 7)
    monkeypatch.setattr(controller, "entrance", lambda _, host, __: ("true",) if host == "cp-3" else ("false",))

    def shell(_: Instance, host: str, argv: tuple[str, ...]) -> None:
        asked.append((host, argv))
        raise SystemExit(3)

    monkeypatch.setattr(controller, "shell", shell)
    return asked


@pytest.mark.parametrize(
    "words",
    [
        ("get", "nodes"),
        ("-n", "kube-system", "get", "pods", "-o", "json"),
        ("--help", "get"),
        ("exec", "pod", "--", "ls", "-l"),
        ("apply", "-f", "-"),
    ],
)
@pytest.mark.parametrize("kind", [tuple, list])
def test_kubectl_gets_its_words_as_they_are_on_a_control_plane_of_the_cluster(
    words: tuple[str, ...], kind: type, entered: list[tuple[str, tuple[str, ...]]]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(kind(("kubectl", *words)))
    assert ended.value.code == 3
    assert entered == [("cp-3", ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", *words))]


def test_kubectl_without_a_cluster_says_how_to_make_one(
    entered: list[tuple[str, tuple[str, ...]]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(controller, "entrance", lambda *_: ("false",))
    assert main(("kubectl", "get", "nodes")) == 1
    assert "no cluster yet: cp-2, cp-3 has no /etc/kubernetes/admin.conf" in capsys.readouterr().err
    monkeypatch.setattr(containers, "leader", lambda *_: 0)
    assert main(("kubectl", "get", "nodes")) == 1
    assert "no control plane is up (cp-1, cp-2, cp-3)" in capsys.readouterr().err
    assert entered == []
