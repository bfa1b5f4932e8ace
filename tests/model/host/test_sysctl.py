"""What the files of sysctl.d come to at the next boot."""

from __future__ import annotations

import pytest

from model.host.sysctl import Set, at_boot

FORWARD = "net.ipv4.ip_forward"
FILTER = "net.ipv4.conf.eth0.rp_filter"


@pytest.mark.parametrize(
    ("name", "texts", "value"),
    [
        (FORWARD, ["net.ipv4.ip_forward = 1"], "1"),
        (FORWARD, ["net.ipv4.ip_forward=1", "net/ipv4/ip_forward=0"], "0"),
        (FORWARD, ["net.ipv4.ip_forward=1\nnet.ipv4.ip_forward=0"], "0"),
        (FORWARD, ["# net.ipv4.ip_forward=1\n;net.ipv4.ip_forward=1\n\nnonsense"], None),
        (FORWARD, ["-net.ipv4.ip_forward = 1"], "1"),
        (FORWARD, [], None),
        ("kernel.printk", ["kernel.printk = 4\t4  1 7"], "4 4 1 7"),
        (FILTER, ["net.ipv4.conf.*.rp_filter=2"], "2"),
        (FILTER, ["net.ipv4.conf.eth0.rp_filter=1", "net.ipv4.conf.*.rp_filter=2"], "1"),
        (FILTER, ["net.ipv4.conf.*.rp_filter=2", "net.ipv4.conf.eth?.rp_filter=0"], "0"),
        (FILTER, ["net.ipv4.conf.*.rp_filter=2\n-net.ipv4.conf.eth0.rp_filter"], None),
        (FILTER, ["net.*.rp_filter=2"], None),
        ("net.ipv4.conf.eth0/100.forwarding", ["net/ipv4/conf/eth0.100/forwarding=1"], "1"),
    ],
)
def test_the_last_word_counts_as_the_manual_says(name: str, texts: list[str], value: str | None) -> None:
    files = [(f"/etc/sysctl.d/{number}.conf", text) for number, text in enumerate(texts)]
    setting = at_boot(files, [name])[name]
    assert (setting and setting.value) == value


def test_the_file_that_decides_is_named() -> None:
    files = [("/usr/lib/sysctl.d/50.conf", f"{FORWARD}=1"), ("/etc/sysctl.d/99.conf", f"{FORWARD}=0")]
    assert at_boot(files, [FORWARD]) == {FORWARD: Set("0", "/etc/sysctl.d/99.conf")}
