"""
CoreDNS itself, with the configuration that the site makes, asked from addresses inside and outside the isolated
network.
"""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from model.host.dns_wire import DnsAnswer, answers, question
from model.kubernetes.cluster import read_node
from model.site.load import load_site
from remote.kube import Cluster
from tasks import dns
from tasks.dns import corefile
from tests.remote.conftest import free_port

SITE = load_site(Path(__file__).parents[2] / "inventory")
ISOLATED, MAIN = "127.0.5.9", "127.0.6.9"
LI = read_node({"metadata": {"name": "li-1"}, "spec": {"podCIDRs": ["127.0.5.0/24"]}})
Ask = Callable[[str, str, int], DnsAnswer]


def upstream(server: socket.socket) -> None:
    """DnsAnswer every address question with the organisation's own address."""
    while True:
        try:
            data, who = server.recvfrom(512)
        except OSError:
            return
        end = data.index(b"\0", 12) + 5
        six = data[end - 4 : end - 2] == b"\0\x1c"
        address = ip_address("2001:db8:100::101" if six else "198.51.100.101").packed
        record = b"\xc0\x0c" + data[end - 4 : end] + struct.pack("!IH", 60, len(address)) + address
        server.sendto(data[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + data[12:end] + record, who)


@pytest.fixture
def ask(tmp_path: Path, binaries: Path) -> Iterator[Ask]:
    """Run CoreDNS on a port of its own; its part that watches the cluster is left out."""
    theirs = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    theirs.bind(("127.0.0.1", 0))
    threading.Thread(target=upstream, args=(theirs,), daemon=True).start()
    settings = SITE.settings.model_copy(update={"dns": SITE.settings.dns.model_copy(update={"main": ()})})
    text = corefile(replace(SITE, settings=settings), [LI])
    text = re.sub(r"    kubernetes .*?\n    }\n", "", text, flags=re.S).replace("/etc/resolv.conf", _at(theirs))
    text = re.sub(r"    (prometheus|ready|health|loop|reload).*\n(        lameduck.*\n    }\n)?", "", text)
    (tmp_path / "Corefile").write_text(text)
    port = free_port()
    (tmp_path / "Corefile").write_text(text.replace(".:53", f".:{port}"))
    argv, log = (str(binaries / "coredns"), "-conf", str(tmp_path / "Corefile")), tmp_path / "coredns.log"

    def asked(source: str, name: str, version: int) -> DnsAnswer:
        try:
            return _ask(source, port, name, version)
        except OSError as error:
            raise AssertionError(f"no answer from port {port} ({process.poll()=}): {log.read_text()}") from error

    with log.open("w") as written, subprocess.Popen(argv, stdout=written, stderr=written) as process:
        yield asked
        process.kill()
    theirs.close()


def _at(server: socket.socket) -> str:
    return f"127.0.0.1:{server.getsockname()[1]}"


def _ask(source: str, port: int, name: str, version: int, seconds: float = 20.0) -> DnsAnswer:
    deadline = time.monotonic() + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind((source, 0))
        client.settimeout(0.5)
        while True:
            client.sendto(question(7, name, version), ("127.0.0.1", port))
            try:
                return answers(client.recv(512))[0]
            except OSError:
                if time.monotonic() > deadline:
                    raise


def addresses_of(answer: DnsAnswer) -> list[str]:
    return sorted(map(str, answer.addresses))


def test_the_same_name_leads_isolated_pods_to_their_own_server(ask: Ask) -> None:
    assert addresses_of(ask(ISOLATED, "matrix.example.test", 4)) == ["10.20.2.11"]
    assert addresses_of(ask(MAIN, "matrix.example.test", 4)) == ["198.51.100.101"]


def test_isolated_pods_are_not_led_out_over_the_other_ip_version(ask: Ask) -> None:
    assert "2001:db8:100::101" not in addresses_of(ask(ISOLATED, "matrix.example.test", 6))
    assert addresses_of(ask(MAIN, "matrix.example.test", 6)) == ["2001:db8:100::101"]


def test_other_names_go_to_the_sites_servers_from_everywhere(ask: Ask) -> None:
    for source in (ISOLATED, MAIN):
        assert addresses_of(ask(source, "deb.example.test", 4)) == ["198.51.100.101"]


def test_kubeadms_objects_are_completed_once(cluster: Cluster) -> None:
    pod = {"metadata": {"labels": {"k8s-app": "kube-dns"}}, "spec": {"containers": [{"name": "coredns", "image": "x"}]}}
    kubeadms = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "coredns", "namespace": "kube-system"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"k8s-app": "kube-dns"}}, "template": pod},
    }
    cluster.create("/apis/apps/v1/namespaces/kube-system/deployments", kubeadms)
    would = dns.enforce(cluster, SITE, dry_run=True)
    assert dns.enforce(cluster, SITE, dry_run=False) == would
    assert dns.enforce(cluster, SITE, dry_run=False) == ()
    seen = cluster.get("/apis/apps/v1/namespaces/kube-system/deployments/coredns")
    assert (seen["spec"]["replicas"], seen["spec"]["template"]["spec"]["containers"][0]["image"]) == (2, "x")
