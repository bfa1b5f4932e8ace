"""Changes of packages and updates."""

from __future__ import annotations

from tests.checks.changes import Case, both, put, text

CASES = (
    Case("packages/installed", "li-1", text("packages", "ii |socat|", "rc |socat|"), "missing: socat"),
    Case("packages/installed", "li-1", text("packages", "ii |sudo|", "iF |sudo|"), "half installed: sudo"),
    Case("packages/holds", "li-1", text("packages", "ii |sudo|", "hi |sudo|"), "nobody says why: sudo"),
    Case(
        "packages/holds",
        "w-1",
        lambda sections: sections.update(packages=sections["packages"] + "ii |kubelet|1.36.0\n"),
        "kubelet is not held",
    ),
    Case(
        "updates/security",
        "cp-1",
        both(
            put("updates", "lists", to=["x"]),
            put("updates", "age_seconds", to=60),
            put("updates", "offered", to={"sudo": ["99:1"]}),
        ),
        "sudo",
    ),
    Case(
        "updates/archive",
        "cp-1",
        both(put("updates", "lists", to=["x"]), put("updates", "age_seconds", to=9 * 86400)),
        "9 days ago",
    ),
)
