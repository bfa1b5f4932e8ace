"""Who may become root is read out of sudo's rules as sudo reads them."""

from __future__ import annotations

import pytest

from model.host.host_facts import Account, Users
from model.host.sudoers import grants, powerful

ACCOUNTS = (
    Account("root", 0, 0, "/bin/bash"),
    Account("ann", 1000, 1000, "/bin/bash"),
    Account("bob", 1001, 27, "/bin/bash"),
)
GROUPS = {"root": (0, ()), "sudo": (27, ("ann",)), "ops": (50, ("bob",))}
INCLUDE = "@includedir /etc/sudoers.d\n"


def _who(main: str, **files: str) -> set[str]:
    texts = {"/etc/sudoers": main, **{f"/etc/sudoers.d/{name}": text for name, text in files.items()}}
    return set(powerful(Users(ACCOUNTS, GROUPS, texts, True)))


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("root ALL=(ALL:ALL) ALL\n", set()),
        ("Defaults env_reset\n# ann ALL=(ALL) ALL\n", set()),
        ("ann ALL=(ALL) NOPASSWD: ALL\n", {"ann"}),
        ("%sudo ALL=(ALL:ALL) ALL\n", {"ann", "bob"}),
        ("%#27 ALL=ALL\n", {"ann", "bob"}),
        ("#1001 ALL=ALL # and why\n", {"bob"}),
        ("User_Alias ADMINS = ann, %ops : OTHERS = carl\nADMINS ALL=ALL\n", {"ann", "bob"}),
        ("ann, \\\n  bob ALL = /bin/ls\n", {"ann", "bob"}),
        ("ALL ALL=ALL\n", {"ALL"}),
        ("+net ALL=ALL\n", {"+net"}),
        ("what is this\n", {"?"}),
        ("#include /opt/sudoers\n", {"?"}),
    ],
)
def test_rules_are_read_as_sudo_reads_them(text: str, who: set[str]) -> None:
    assert _who(text) == who


def test_a_folder_counts_where_it_is_included() -> None:
    assert _who(INCLUDE, deploy="ann ALL=ALL\n") == {"ann"}
    assert _who("#includedir /etc/sudoers.d\n", deploy="ann ALL=ALL\n") == {"ann"}
    assert _who("", deploy="ann ALL=ALL\n") == set()


def test_a_second_account_of_number_0_is_root_without_any_rule() -> None:
    users = Users((*ACCOUNTS, Account("mallory", 0, 0, "/bin/sh")), GROUPS, {}, False)
    assert powerful(users) == {"mallory": "has root's number 0"}


def test_a_rule_is_told_with_its_file() -> None:
    (grant,) = grants({"/etc/sudoers": "ann ALL=ALL\n"})
    assert (grant.who, grant.path, grant.line) == ("ann", "/etc/sudoers", "ann ALL=ALL")
