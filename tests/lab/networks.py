"""A lab's network made worse: packets that are lost, delayed, doubled, or come in another order."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import network
from lab.instance import Instance
from tests.lab.driver import Lab

_FORWARDER = Path(__file__).with_name("forwarder.py")


@contextmanager
def losing(lab: Lab, host: str, percent: int, ways: tuple[str, ...] = ("iifname", "oifname")) -> Iterator[None]:
    """Lose this share of what goes from (iifname) and to (oifname) a host, at its port of the bridge."""
    instance, device = Instance(lab.name), network.peer(host, 0)
    hooks = {"input": ("iifname",), "forward": ("iifname", "oifname"), "output": ("oifname",)}
    chains = "".join(
        f"chain {hook} {{\ntype filter hook {hook} priority 0\n"
        + "".join(f'{end} "{device}" numgen random mod 100 < {percent} drop\n' for end in ends if end in ways)
        + "}\n"
        for hook, ends in hooks.items()
    )
    network.within(instance, "", ("nft", "-f", "-"), f"table bridge losing {{\n{chains}}}\n")
    try:
        yield
    finally:
        network.within(instance, "", ("nft", "delete", "table", "bridge", "losing"))


@contextmanager
def forwarding(lab: Lab, host: str, kind: str) -> Iterator[None]:
    """Lead what goes from and to a host through a program that is `kind` to it: delay, double or reorder."""
    instance, device = Instance(lab.name), network.peer(host, 0)
    namespace, bridge = instance.namespace(), network.bridge("main")
    lines = ("link add fw-a type veth peer name fw-b", "link set fw-a up addrgenmode none")
    network.batch(namespace, (*lines, f"link set fw-b master {bridge} up addrgenmode none"))
    network.batch(namespace, (f"link set {device} nomaster",))
    argv = ("ip", "netns", "exec", namespace, sys.executable, str(_FORWARDER), device, "fw-a", kind)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "forwarding\n"
            yield
        finally:
            process.terminate()
            process.wait(10)
            network.batch(namespace, (f"link set {device} master {bridge}", "link delete fw-a"))
