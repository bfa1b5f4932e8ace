"""Changes of the kernel."""

from __future__ import annotations

from tests.checks.changes import Case, both, put

CASES = (
    Case("kernel/settings", "w-1", put("sysctl", "net.ipv4.ip_forward", to="0"), "net.ipv4.ip_forward is 0"),
    Case("kernel/settings", "w-1", put("sysctl", "kernel.panic", to=None), "kernel.panic is not there"),
    Case("kernel/modules", "w-1", put("modules", to=["overlay"]), "br_netfilter"),
    Case("kernel/at-boot", "w-1", put("at_boot", "sysctl", to=[]), "no file sets net.ipv4.ip_forward to 1"),
    Case(
        "kernel/at-boot",
        "cp-1",
        lambda sections: sections["at_boot"]["sysctl"].append(["/etc/sysctl.d/99-z.conf", "net/ipv4/ip_forward=0"]),
        "net.ipv4.ip_forward will be 0 by /etc/sysctl.d/99-z.conf",
    ),
    Case(
        "kernel/at-boot",
        "w-1",
        both(put("at_boot", "modules", to=[]), put("at_boot", "builtin", to=["overlay"])),
        "br_netfilter",
    ),
    Case("kernel/version", "w-1", put("release", "kernel", to="4.9.0-1-amd64"), "needs Linux"),
    Case("kernel/reboot", "db-1", put("boot", "kernels", to=["6.1.0-9-amd64", "99.1.0-1-amd64"]), "99.1.0-1-amd64"),
    Case(
        "kernel/reboot", "db-1", both(put("boot", "required", to=True), put("boot", "packages", to=["libc6"])), "libc6"
    ),
)
