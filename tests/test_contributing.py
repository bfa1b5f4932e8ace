"""What CONTRIBUTING says that an addition takes is all that it takes: each diff is applied to a copy, and used."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "CONTRIBUTING.md"
TO_BE_WRITTEN = "To be written"
# What a checkout holds beside its own files.
_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "reports", "state", "known_hosts", "results.json")
# Derives a host's ufw rules from the copy's own matrix, by the copy's own code.
_RULES = """
import sys
from pathlib import Path
from model.site.load import load_site
from model.ufw.state import desired_rules
site = load_site(Path("inventory"))
for rule in desired_rules(site, site.by_name[sys.argv[1]], 4):
    print(rule.words())
"""


class Copy:
    """A copy of the tree that a diff was applied to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def python(self, *argv: str) -> str:
        """Run Python in the copy and return what it printed; it must end well."""
        done = subprocess.run((sys.executable, *argv), cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rules(self, host: str) -> str:
        """Return the ufw rules of a host, a line each."""
        return self.python("-c", _RULES, host)


def row_is_enforced(copy: Copy) -> None:
    copy.python("-m", "flows.lint")
    assert re.search(
        r"^allow tcp 9093 from 10\.20\.0\.0/24 .*# matrix-fleet alertmanager$", copy.rules("mon-1"), re.MULTILINE
    )
    assert "9093" not in copy.rules("db-1")
    copy.python("-m", "flows.docs")
    assert "| alertmanager |" in (copy.folder / "docs" / "port-matrix.md").read_text("utf-8")


def role_has_its_hosts_rows_and_rules(copy: Copy) -> None:
    copy.python("-m", "flows.lint")
    assert "allow tcp 22 from 10.20.0.0/24" in copy.rules("mail-1")
    assert copy.rules("mail-1").count("# matrix-fleet mail-submission") >= 3
    assert "587" not in copy.rules("w-1")
    assert "mail" in copy.python("-m", "flows.site", "show")


PROOFS: dict[str, Callable[[Copy], None]] = {
    "a port row": row_is_enforced,
    "a role": role_has_its_hosts_rows_and_rules,
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


def test_every_section_has_a_proof_or_says_that_it_is_not_written() -> None:
    text = PAGE.read_text("utf-8")
    written = {title for title, diffs in sections(text).items() if diffs}
    assert written == set(PROOFS)
    for title in sections(text).keys() - written:
        assert f"### {title}\n\n{TO_BE_WRITTEN}" in text


def test_a_diff_that_does_not_fit_is_noticed(tmp_path: Path) -> None:
    diff = "--- a/inventory/ports.yaml\n+++ b/inventory/ports.yaml\n@@ -3,1 +3,2 @@\n never written there\n+new\n"
    with pytest.raises(AssertionError, match="patch"):
        applied(tmp_path / "tree", [diff])
