"""A rollback leaves the whole ruleset as it was: in real kernels, with rules of others."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from model.checkout import HOST_SCRIPTS
from model.ufw.change import KernelChange, undo
from model.ufw.kernel import EMPTY, expected, read
from model.ufw.others import others_chains
from model.ufw.state import AFTER, BEFORE, UfwState
from tasks.firewall import kernel_texts
from tests import namespaces
from tests.model.ufw.test_others import DOCKER, GUARD, NAT
from tests.model.ufw.ufw_data import file

_PROGRAM = "\n".join((HOST_SCRIPTS / name).read_text("utf-8") for name in ("ufw-kernel.sh", "ufw-others.sh"))
_PLAIN = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
# What stands on hosts of others, as iptables-save writes it.
HOSTS = {
    "nothing": "",
    "custom": f"{_PLAIN}:GUARD - [0:0]\n-A INPUT -s 192.0.2.1/32 -j DROP\n-A FORWARD -j GUARD\n"
    "-A GUARD -s 198.51.100.0/24 -j DROP\nCOMMIT\n",
    "docker": f"{_PLAIN}:DOCKER - [0:0]\n:DOCKER-USER - [0:0]\n-A FORWARD -j DOCKER-USER\n"
    "-A FORWARD -o docker0 -j DOCKER\n-A DOCKER-USER -s 192.0.2.0/24 -j DROP\n-A DOCKER-USER -j RETURN\nCOMMIT\n"
    "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"
    "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\nCOMMIT\n",
    "few chains": "*filter\n:FORWARD ACCEPT [0:0]\n:OWN - [0:0]\n-A FORWARD -j OWN\nCOMMIT\n"
    "*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -o eth9 -j MASQUERADE\nCOMMIT\n",
    "fail2ban": f"{_PLAIN}:f2b-sshd - [0:0]\n-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd\n"
    "-A f2b-sshd -s 192.0.2.9/32 -j REJECT\n-A f2b-sshd -j RETURN\nCOMMIT\n",
    "kube-router": f"{_PLAIN}:KUBE-ROUTER-INPUT - [0:0]\n:KUBE-ROUTER-FORWARD - [0:0]\n"
    '-A INPUT -m comment --comment "kube-router netpol - 4IA2" -j KUBE-ROUTER-INPUT\n'
    '-A FORWARD -m comment --comment "kube-router netpol - TEMC" -j KUBE-ROUTER-FORWARD\n'
    '-A KUBE-ROUTER-INPUT -d 10.96.0.0/12 -m comment --comment "allow traffic" -j RETURN\n'
    "-A KUBE-ROUTER-FORWARD -m mark --mark 0x20000/0x20000 -j ACCEPT\nCOMMIT\n",
}
# What an administrator has added to ufw's after.rules.
ADDED = {
    "nothing": "",
    "nat": NAT.replace(":POST", ":PREROUTING ACCEPT [0:0]\n:POST"),
    "guard": GUARD,
    "docker": DOCKER + NAT,
    "again": GUARD + GUARD.replace("-I F", "-A F"),
}


@pytest.fixture
def network(real_machine: None, tmp_path: Path) -> Iterator[str]:
    name = namespaces.add("u")
    yield name
    namespaces.remove(name)


def _sh(network: str, folder: Path, script: str, stdin: str = "") -> str:
    argv = ("ip", "netns", "exec", network, "sh", "-euc", f"cd {folder}\n{_PROGRAM}\n{script}")
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
    return done.stdout


def _ruleset(network: str, folder: Path) -> str:
    return _sh(network, folder, "nft -s list ruleset")


def _start(network: str, folder: Path, version: int, added: str) -> None:
    """Load what ufw's own start loads: its chains and jumps, and then its files, whatever they say."""
    tool = "iptables" if version == 4 else "ip6tables"
    own = expected(file("before", version), file("after", version), file("user", version), version)
    lines = ["*filter", *(f":{name} {policy} [0:0]" for name, policy in own.policies.items())]
    lines += [f":{name} - [0:0]" for name in own.chains]
    lines += [f"-A {name} {rule}" for name, rules in own.jumps.items() for rule in rules]
    lines += [f"-A {name} {rule}" for name, rules in own.chains.items() for rule in rules]
    _sh(network, folder, f"{tool}-restore -n", "\n".join([*lines, "COMMIT", ""]) + added)


def _texts(folder: Path, version: int, before: str, added: str) -> None:
    """Lay down what a session lays down for the rollback of a first start."""
    after = {BEFORE[version]: file("before", version), AFTER[version]: file("after", version) + added}
    then = expected(after[BEFORE[version]], after[AFTER[version]], file("user", version), version)
    none = {4: EMPTY, 6: EMPTY}
    back = undo(
        UfwState({**none, version: read(before, version)}, {}, False), UfwState({**none, version: then}, {}, True)
    )
    texts = kernel_texts("undo", version, back.kernel.get(version, KernelChange()))
    texts[f"undo-others{version}"] = "".join(f"{of.table} {of.chain}\n" for of in others_chains(after, version))
    for name, text in {**texts, f"saved{version}": before}.items():
        (folder / name).write_text(text, "utf-8")


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("added", ADDED)
@pytest.mark.parametrize("host", HOSTS)
def test_a_rollback_of_a_start_leaves_every_table_as_it_was(
    network: str, tmp_path: Path, host: str, added: str, version: int
) -> None:
    tool = "iptables" if version == 4 else "ip6tables"
    own, theirs = (_six(text, version) for text in (ADDED[added], HOSTS[host]))
    if "DOCKER-USER" in own and "DOCKER-USER" not in theirs:
        # ufw's start would make the chain, and nobody would lead into it.
        theirs = theirs or f"{_PLAIN}COMMIT\n"
    if theirs:
        _sh(network, tmp_path, f"{tool}-restore", theirs)
    before = _ruleset(network, tmp_path)
    _sh(network, tmp_path, "mf_accepting_chains >chains")
    _texts(tmp_path, version, _sh(network, tmp_path, f"{tool}-save"), own)
    _start(network, tmp_path, version, own)
    _sh(network, tmp_path, f"{tool}-save >started{version}")
    _sh(network, tmp_path, f"mf_change {tool} {version} ./undo")
    assert _ruleset(network, tmp_path) == before
    # Carried out twice, as after a rollback that was cut short, it changes nothing more.
    _sh(network, tmp_path, f"mf_change {tool} {version} ./undo")
    assert _ruleset(network, tmp_path) == before


def _six(text: str, version: int) -> str:
    """Write the same for the other family."""
    if version == 4:
        return text
    for four, six in (
        ("192.0.2.0/24", "2001:db8:1::/64"),
        ("192.0.2.1/32", "2001:db8::1/128"),
        ("192.0.2.7", "2001:db8::7"),
        ("192.0.2.9/32", "2001:db8::9/128"),
        ("198.51.100.0/24", "2001:db8:2::/64"),
        ("172.17.0.0/16", "fd00:17::/64"),
        ("10.96.0.0/12", "fd96::/108"),
        ("10.8.0.0/24", "fd08::/64"),
        ("ufw-", "ufw6-"),
    ):
        text = text.replace(four, six)
    return text


def test_what_others_added_since_the_start_stays(network: str, tmp_path: Path) -> None:
    _sh(network, tmp_path, "iptables-restore", HOSTS["docker"])
    _texts(tmp_path, 4, _sh(network, tmp_path, "iptables-save"), DOCKER + GUARD)
    _start(network, tmp_path, 4, DOCKER + GUARD)
    _sh(
        network,
        tmp_path,
        "iptables-save >started4\niptables -A DOCKER-USER -s 203.0.113.1 -j DROP\n"
        "iptables -A GUARD -s 203.0.113.2 -j DROP\niptables -A FORWARD -s 203.0.113.3 -j DROP\n"
        "mf_change iptables 4 ./undo",
    )
    rules = [line for line in _sh(network, tmp_path, "iptables-save -t filter").splitlines() if line[:2] == "-A"]
    assert rules == [
        "-A FORWARD -j DOCKER-USER",
        "-A FORWARD -o docker0 -j DOCKER",
        "-A FORWARD -s 203.0.113.3/32 -j DROP",
        "-A DOCKER-USER -s 192.0.2.0/24 -j DROP",
        "-A DOCKER-USER -j RETURN",
        "-A DOCKER-USER -s 203.0.113.1/32 -j DROP",
        "-A GUARD -s 203.0.113.2/32 -j DROP",
    ]


def test_a_chain_that_others_lead_into_stays_and_is_empty(network: str, tmp_path: Path) -> None:
    _texts(tmp_path, 4, _sh(network, tmp_path, "iptables-save"), "")
    _start(network, tmp_path, 4, "")
    _sh(network, tmp_path, "iptables -N OWN\niptables -A OWN -j ufw-user-forward\nmf_change iptables 4 ./undo")
    left = [line for line in _sh(network, tmp_path, "iptables-save -t filter").splitlines() if "ufw" in line]
    assert left == [":ufw-user-forward - [0:0]", "-A OWN -j ufw-user-forward"]


def test_jumps_come_back_to_their_places_among_rules_of_others(network: str, tmp_path: Path) -> None:
    _start(network, tmp_path, 4, "")
    _sh(
        network,
        tmp_path,
        "iptables -D INPUT -j ufw-reject-input\niptables -I INPUT 3 -s 192.0.2.1 -j DROP\n"
        "iptables -A INPUT -s 192.0.2.2 -j DROP",
    )
    before, saved = _ruleset(network, tmp_path), _sh(network, tmp_path, "iptables-save")
    _texts(tmp_path, 4, saved, "")
    _sh(network, tmp_path, "iptables -A INPUT -j ufw-reject-input")
    _sh(network, tmp_path, "mf_change iptables 4 ./undo")
    assert _ruleset(network, tmp_path) == before
