"""Changes of the firewall."""

from __future__ import annotations

from tests.checks.changes import Case, put, text

CASES = (
    Case("firewall/rules", "w-1", lambda sections: sections["ufw"].update(enabled=False), "disabled"),
    Case("firewall/rules", "w-1", put("ufw", "installed", to=False), "not installed"),
    Case(
        "firewall/rules",
        "w-1",
        text("ufw", "LOGLEVEL=low", "LOGLEVEL=on", "files", "/etc/ufw/ufw.conf"),
        "LOGLEVEL=on is no level",
    ),
    Case(
        "firewall/rules",
        "w-1",
        text("ufw", "*filter\n", "*filter\n# mine\n", "files", "/etc/ufw/user.rules"),
        "# mine",
    ),
    Case(
        "firewall/kernel",
        "db-1",
        lambda sections: sections["rules"]["saved"].update(
            {
                "4": sections["rules"]["saved"]["4"].replace(
                    "-A ufw-user-input", "-A ufw-user-input -p tcp -m tcp --dport 23 -j ACCEPT\n-A ufw-user-input", 1
                )
            }
        ),
        "--dport 23",
    ),
    Case(
        "firewall/foreign",
        "li-1",
        lambda sections: sections["rules"]["saved"].update(
            {
                "4": sections["rules"]["saved"]["4"].replace(
                    "-A INPUT", "-A INPUT -p tcp -m tcp --dport 5555 -j ACCEPT\n-A INPUT", 1
                )
            }
        ),
        "5555",
    ),
)
