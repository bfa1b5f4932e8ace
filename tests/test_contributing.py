"""What CONTRIBUTING says that an addition takes is all that it takes: each diff is applied to a copy, and used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "CONTRIBUTING.md"
# What a checkout holds beside its own files, and what no addition here touches. Compiled modules are copied: they are
# still right, as their sources keep the time of their last change.
_LEFT_OUT = shutil.ignore_patterns(
    ".*", "*.pyc.*", "reports", "state", "known_hosts", "results.json", "lab", "benchmarks"
)
# Derives hosts' ufw rules from the copy's own matrix, by the copy's own code.
_RULES = """
import json, sys
from pathlib import Path
from model.site.load import load_site
from model.ufw.state import desired_rules
site = load_site(Path("inventory"))
rules = {name: [rule.words() for rule in desired_rules(site, site.by_name[name], 4)] for name in sys.argv[1:]}
print(json.dumps(rules))
"""
# Tests that the diffs of checks add to, and of them those that the additions concern: red, green, and no check without.
_OF_CHECKS = (
    "tests/checks/test_uptime.py",
    "tests/checks/test_host_judges.py",
    "tests/model/check/preflight/test_preflight.py",
    "tests/model/check/lint/test_lint.py",
)
_ABOUT_CHECKS = "uptime or link-down or ntp-missing or somewhere or every_rule_has or real_hosts or healthy_hosts"


class Copy:
    """A copy of the tree that a diff was applied to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def python(self, *argv: str) -> str:
        """Run Python in the copy and return what it printed; it must end well."""
        # No site but the copy's own.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MATRIX_FLEET_")}
        done = subprocess.run(
            (sys.executable, *argv), cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rules(self, *hosts: str) -> dict[str, list[str]]:
        """Return the ufw rules of hosts, a line each."""
        rules: dict[str, list[str]] = json.loads(self.python("-c", _RULES, *hosts))
        return rules

    def tests(self, *argv: str) -> str:
        """Run tests of the copy and return what pytest printed; one at least must be there, and all must pass."""
        return self.python("-m", "pytest", "-q", "-rA", "-p", "no:xdist", *argv)


def row_is_enforced(copy: Copy) -> None:
    copy.python("-m", "flows.lint")
    rules = copy.rules("mon-1", "db-1")
    assert any(
        re.match(r"allow tcp 9093 from 10\.20\.0\.0/24 .*# matrix-fleet alertmanager$", rule) for rule in rules["mon-1"]
    )
    assert "9093" not in "".join(rules["db-1"])
    copy.python("-m", "flows.docs")
    assert "| alertmanager |" in (copy.folder / "docs" / "port-matrix.md").read_text("utf-8")


def role_has_its_hosts_rows_and_rules(copy: Copy) -> None:
    copy.python("-m", "flows.lint")
    rules = copy.rules("mail-1", "w-1")
    assert any(rule.startswith("allow tcp 22 from 10.20.0.0/24") for rule in rules["mail-1"])
    assert sum(rule.endswith("# matrix-fleet mail-submission") for rule in rules["mail-1"]) >= 3
    assert "587" not in "".join(rules["w-1"])
    assert "mail" in copy.python("-m", "flows.site", "show")


def checks_are_found_and_go_red(copy: Copy) -> None:
    listed = copy.python("-m", "flows.compliance", "--list")
    assert re.search(r"^ *uptime/restarted +warning", listed, re.MULTILINE)
    assert re.search(r"^ *deployer-1 .*\buptime/restarted\b", listed, re.MULTILINE)
    assert re.search(r"^ntp-missing +warning", copy.python("-m", "flows.lint", "--rules"), re.MULTILINE)
    ran = copy.tests(*_OF_CHECKS, "-k", _ABOUT_CHECKS)
    for claim in (
        "test_the_limit_of_uptime[400-False]",
        "test_the_limit_of_uptime[401-True]",
        "test_a_change_is_found_by_exactly_its_check[uptime/restarted",
        "test_check_goes_red_and_says_what_was_seen[link-down",
        "test_rule_fires_on_its_trap_at_the_place_and_says_what_to_write[ntp-missing",
    ):
        assert f"::{claim}" in ran


def phase_is_listed_in_its_place_and_tells_what_it_would_do(copy: Copy) -> None:
    listed = re.findall(r"^ +([a-z-]+)  +\S", copy.python("-m", "flows.bootstrap", "--help"), re.MULTILINE)
    assert listed[listed.index("os") :][:3] == ["os", "motd", "runtime"]
    copy.tests("tests/flows/cluster/test_motd.py")


def flow_is_listed_and_runs(copy: Copy) -> None:
    assert re.search(r"^ +waivers +List ", copy.python("-m", "flows"), re.MULTILINE)
    report = json.loads(copy.python("-m", "flows.waivers", "--json", "-"))
    assert [(outcome["subject"], outcome["message"]) for outcome in report["outcomes"]] == [
        ("waivers", "nothing is waived")
    ]
    copy.tests("tests/flows/test_waivers.py", "tests/test_documents.py::test_the_readme_has_a_row_for_every_command")


def component_is_rendered_and_tried(copy: Copy) -> None:
    copy.python("-m", "flows.lint")
    copy.python("-m", "flows.rollout", "--component", "greeting", "--render", "rendered")
    rendered = copy.folder / "rendered" / "greeting"
    assert "Welcome to example.test!" in (rendered / "001-ConfigMap-greeting.yaml").read_text("utf-8")
    assert (rendered / "files" / "greeting.txt").read_text("utf-8") == "Welcome to example.test!\n"
    assert re.search(r"^greeting +greeting$", copy.python("-m", "flows.validate", "--list"), re.MULTILINE)
    copy.tests("tests/remote/gates/test_greeting_gate.py")


PROOFS: dict[str, Callable[[Copy], None]] = {
    "a port row": row_is_enforced,
    "a role": role_has_its_hosts_rows_and_rules,
    "a check": checks_are_found_and_go_red,
    "a bootstrap phase": phase_is_listed_in_its_place_and_tells_what_it_would_do,
    "a flow": flow_is_listed_and_runs,
    "a component": component_is_rendered_and_tried,
}


def sections(text: str) -> dict[str, list[str]]:
    """Return the diffs of each section of "How to add", by its title."""
    _, _, adding = text.partition("\n## How to add\n")
    parts = re.split(r"^### (.+)\n", adding, flags=re.MULTILINE)[1:]
    return {title: re.findall(r"^```diff\n(.*?)^```$", body, re.MULTILINE | re.DOTALL) for title, body in _two(parts)}


def _two(parts: list[str]) -> list[tuple[str, str]]:
    return list(zip(parts[::2], parts[1::2], strict=True))


def applied(folder: Path, diffs: list[str]) -> Copy:
    """Copy the tree and apply the diffs to it; one that does not fit is an error."""
    shutil.copytree(ROOT, folder, ignore=_LEFT_OUT)
    # A repository of its own: within another, `git apply` would leave out what lies outside it.
    subprocess.run(("git", "init", "-q"), cwd=folder, check=True)
    for diff in diffs:
        argv = ("git", "apply", "--whitespace=error-all", "-")
        done = subprocess.run(argv, cwd=folder, input=diff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stderr}\n{diff}"
    return Copy(folder)


@pytest.mark.parametrize("title", PROOFS)
def test_a_diff_is_all_that_it_takes(title: str, tmp_path: Path) -> None:
    diffs = sections(PAGE.read_text("utf-8"))[title]
    assert diffs
    PROOFS[title](applied(tmp_path / "tree", diffs))


def test_every_section_has_a_diff_and_a_proof() -> None:
    found = sections(PAGE.read_text("utf-8"))
    assert {title for title, diffs in found.items() if diffs} == set(PROOFS) == set(found)


def test_a_diff_that_does_not_fit_is_noticed(tmp_path: Path) -> None:
    diff = "--- a/inventory/ports.yaml\n+++ b/inventory/ports.yaml\n@@ -3,1 +3,2 @@\n never written there\n+new\n"
    with pytest.raises(AssertionError, match="patch"):
        applied(tmp_path / "tree", [diff])
