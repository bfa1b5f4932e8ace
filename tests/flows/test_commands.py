"""`python -m flows` leads to every command, and a shell completes what the commands declare."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from flows._run import commands, completion
from flows._run.cli import application
from model.checkout import version
from tests.flows.plumbing import ROOT

# Lines as a person types them, up to the cursor, and some of the words offered there.
TYPED: list[tuple[tuple[str, ...], set[str]]] = [
    (("-m", "flows.fire"), {"flows.firewall"}),
    (("-m", "flows", "ver"), {"verify_ports"}),
    (("-m", "flows.bootstrap", "--from", "wor"), {"workers"}),
    (("-m", "flows", "bootstrap", "--dry"), {"--dry-run"}),
    (("-m", "flows", "report", "sh"), {"show"}),
    (("-m", "flows.report", "show", "--re"), {"--render"}),
    (("-m", "flows.verify_ports", "--depth", ""), {"boundaries", "sweep", "full"}),
    (("-m", "flows.verify_ports", "--depth", "=", "f"), {"full"}),
    (("-m", "flows.compliance", "--check", "firewall/ru"), {"firewall/rules"}),
    (("-m", "flows.firewall", "ad"), {"adopt"}),
    # Where a comma list may stand, its last word is completed; a flag that takes one word takes no second.
    (("-m", "flows.verify_ports", "--plane", "host,e"), {"host,external"}),
    (("-m", "flows.verify_ports", "--plane", "=", "pod,host,e"), {"pod,host,external"}),
    (("-m", "flows.compliance", "--check", "swap,firewall/ru"), {"swap,firewall/rules"}),
    (("-m", "flows.bootstrap", "--only", "preflight,r"), set()),
    # What may be anything is left to the shell, which completes files.
    (("-m", "flows.firewall", "--inventory", ""), set()),
    (("-m", "http"), set()),
    (("flows.py",), set()),
]


def flows(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = (sys.executable, "-m", "flows", *arguments)
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_every_command_is_listed_with_a_line_of_its_own(arguments: tuple[str, ...]) -> None:
    listed = flows(*arguments)
    assert listed.returncode == 0
    lines = {line.split()[0]: line.split()[1:] for line in listed.stdout.splitlines() if line.startswith("  ")}
    modules = {path.stem for path in (ROOT / "flows").glob("[a-z]*.py")}
    assert set(lines) == modules
    assert all(len(words) > 3 for words in lines.values())


def test_the_version_is_that_of_pyproject() -> None:
    version_shown = flows("--version")
    assert (version_shown.returncode, version_shown.stdout) == (0, f"matrix-fleet {version()}\n")
    assert f'version = "{version()}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_a_command_is_run_with_its_arguments_and_exit_code() -> None:
    direct = subprocess.run(
        (sys.executable, "-m", "flows.lint", "--rules"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (flows("lint", "--rules").stdout, direct.returncode) == (direct.stdout, 0)
    wrong = flows("lint", "--nope")
    assert wrong.returncode == 1
    assert "python -m flows.lint --help" in wrong.stderr


def test_an_unknown_command_is_exit_1() -> None:
    wrong = flows("firewal")
    assert wrong.returncode == 1
    assert "did you mean firewall?" in wrong.stderr


@pytest.mark.parametrize(("words", "expected"), TYPED, ids=[" ".join(words) for words, _ in TYPED])
def test_bash_completes_what_the_commands_declare(words: tuple[str, ...], expected: set[str]) -> None:
    script = f"""{completion.bash()}
COMP_WORDS=(.venv/bin/python "$@"); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_matrix_fleet; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        ("bash", "--norc", "-uc", script, "bash", *words), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == expected


def test_bash_registers_the_function_for_python() -> None:
    script = f"{completion.bash()}\ncomplete -p python3"
    done = subprocess.run(("bash", "--norc", "-ec", script), capture_output=True, text=True, check=True, timeout=60)
    assert "-F _matrix_fleet python3" in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_flag_of_every_command_is_in_the_script(shell: str) -> None:
    script = completion.SCRIPTS[shell]()
    for name in commands.names():
        for command in commands.describe(name).values():
            for flag in command.flags:
                assert (
                    flag if shell != "fish" else f" {'-l' if flag.startswith('--') else '-s'} {flag.lstrip('-')}"
                ) in script


@pytest.mark.parametrize("name", commands.names())
def test_what_is_completed_is_what_help_shows(name: str) -> None:
    module = importlib.import_module(f"flows.{name}")
    app: typer.Typer = getattr(module, "app", None) or application()
    if not hasattr(module, "app"):
        app.command()(module.main)
    for word, command in commands.describe(name).items():
        text = CliRunner().invoke(app, [*filter(None, [word]), "--help"]).output
        assert all(flag in text for flag in command.flags)
