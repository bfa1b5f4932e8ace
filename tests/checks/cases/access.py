"""Changes of accounts and SSH."""

from __future__ import annotations

from tests.checks.changes import Case, both, text

CASES = (
    Case(
        "users/sudo",
        "w-1",
        both(
            lambda sections: sections["users"]["accounts"].append(["eve", 1009, 27, "/bin/sh"]),
            lambda sections: sections["users"]["groups"].append(["sudo", 27, []]),
        ),
        "eve may become root",
    ),
    Case(
        "users/sudo",
        "w-1",
        lambda sections: sections["users"]["accounts"].append(["mallory", 0, 0, "/bin/sh"]),
        "number 0",
    ),
    Case(
        "ssh/settings",
        "db-1",
        text("sshd", "passwordauthentication no", "passwordauthentication yes", "nobody"),
        "for nobody: passwordauthentication is yes",
    ),
    Case(
        "ssh/settings",
        "db-1",
        text("sshd", "permitrootlogin without-password", "permitrootlogin yes", "root"),
        "for root: permitrootlogin is yes",
    ),
)
