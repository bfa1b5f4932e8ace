"""What ufw's files say of chains that are not ufw's is neither expected of the kernel nor taken away from it."""

from __future__ import annotations

import pytest

from model.ufw.change import change, undo
from model.ufw.kernel import EMPTY, expected, read
from model.ufw.others import OthersChain, others_chains
from model.ufw.plan import between
from model.ufw.state import AFTER, BEFORE, UfwState
from model.ufw.text import render
from tests.model.ufw.ufw_data import file, loaded, saved, told

# The widespread ways to put rules of one's own into ufw's files.
GUARD = "*filter\n:GUARD - [0:0]\n-A GUARD -s 192.0.2.7 -j DROP\n-I FORWARD -j GUARD\nCOMMIT\n"
DOCKER = (
    "*filter\n:ufw-user-forward - [0:0]\n:ufw-docker-logging-deny - [0:0]\n:DOCKER-USER - [0:0]\n"
    "-A DOCKER-USER -j ufw-user-forward\n-A DOCKER-USER -j RETURN\n"
    "-A ufw-docker-logging-deny -j DROP\nCOMMIT\n"
)
NAT = "*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -s 10.8.0.0/24 -o eth0 -j MASQUERADE\nCOMMIT\n"


def _with(version: int, *texts: str) -> str:
    return file("after", version) + "".join(texts)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("text", [GUARD, NAT, GUARD + NAT], ids=["guard", "nat", "both"])
def test_chains_of_others_in_ufws_files_change_nothing_of_what_is_expected(version: int, text: str) -> None:
    kernel = expected(file("before", version), _with(version, text), file("user", version), version)
    assert kernel.same(loaded(version))
    assert all(name.startswith(("ufw-", "ufw6-")) for name in kernel.chains)


@pytest.mark.parametrize("text", [GUARD, DOCKER], ids=["guard", "docker"])
def test_neither_a_change_nor_its_undo_speaks_of_them(text: str) -> None:
    def state(user: str) -> UfwState:
        return UfwState({4: expected(file("before", 4), _with(4, text), user, 4), 6: EMPTY}, {}, True)

    now, then = (state(render(rules, 4, "low")) for rules in (told(4), told(4)[1:]))
    for first, second in ((now, then), (UfwState({4: EMPTY, 6: EMPTY}, {}, False), then)):
        for part in (change(first, second).kernel[4], undo(first, second).kernel[4]):
            for name in ("GUARD", "DOCKER-USER", "FORWARD -j GUARD", ":FORWARD -"):
                assert name not in part.restore
                assert name not in " ".join(part.removed_chains)


def test_a_chain_of_ufws_in_its_files_is_expected_with_its_rules() -> None:
    kernel = expected(file("before", 4), _with(4, DOCKER), file("user", 4), 4)
    assert kernel.chains["ufw-docker-logging-deny"] == ("-j DROP",)
    # user.rules is loaded later, and fills it again.
    assert kernel.chains["ufw-user-forward"] == loaded(4).chains["ufw-user-forward"]


@pytest.mark.parametrize(
    ("line", "place"), [("-A INPUT -p tcp --dport 80 -j ufw-http", -1), ("-I INPUT -j ufw-http", 0)]
)
def test_a_jump_into_a_chain_of_ufws_from_its_own_files_is_expected(line: str, place: int) -> None:
    text = f"*filter\n:ufw-http - [0:0]\n{line}\n-A ufw-http -j ACCEPT\nCOMMIT\n"
    kernel = expected(_with(4, text), file("after", 4), file("user", 4), 4)
    assert kernel.jumps["INPUT"][place] == line[len("-A INPUT ") :]
    assert len(kernel.jumps["INPUT"]) == len(loaded(4).jumps["INPUT"]) + 1


def test_a_jump_is_the_same_however_it_is_spelled() -> None:
    text = "*filter\n:ufw-http - [0:0]\n-A INPUT -p tcp --dport 80 -j ufw-http\nCOMMIT\n"
    wanted = expected(file("before", 4), _with(4, text), file("user", 4), 4)
    last = "-A INPUT -j ufw-track-input\n"
    there = saved(4).replace(last, f"{last}-A INPUT -p tcp -m tcp --dport 80 -j ufw-http\n")
    there = there.replace("*filter\n", "*filter\n:ufw-http - [0:0]\n")
    now, then = (UfwState({4: kernel, 6: EMPTY}, {}, True) for kernel in (read(there, 4), wanted))
    assert not change(now, then)


@pytest.mark.parametrize("version", [4, 6])
def test_the_chains_that_ufws_start_will_change_are_told(version: int) -> None:
    docker = DOCKER if version == 4 else DOCKER.replace("ufw-", "ufw6-")
    files = {BEFORE[version]: file("before", version) + NAT, AFTER[version]: _with(version, GUARD, docker)}
    assert others_chains(files, version) == (
        OthersChain("filter", "DOCKER-USER"),
        OthersChain("filter", "FORWARD"),
        OthersChain("filter", "GUARD"),
        OthersChain("nat", "POSTROUTING"),
    )
    assert (
        others_chains({BEFORE[version]: file("before", version), AFTER[version]: file("after", version)}, version) == ()
    )


def test_only_a_start_changes_them() -> None:
    stopped, running = UfwState({4: EMPTY, 6: EMPTY}, {}, False), UfwState({4: loaded(4), 6: EMPTY}, {}, True)
    files = {AFTER[4]: GUARD}
    assert between("db-1", stopped, running, files=files).others[4]
    assert not between("db-1", running, running, files=files).others


def test_a_jump_comes_back_to_where_it_was() -> None:
    foreign = "-A INPUT -s 192.0.2.1/32 -j DROP\n"
    text = saved(4).replace("-A INPUT -j ufw-before-input\n", f"{foreign}-A INPUT -j ufw-before-input\n")
    text = text.replace("-A INPUT -j ufw-reject-input\n", "")
    first, second = (UfwState({4: kernel, 6: EMPTY}, {}, True) for kernel in (read(text, 4), loaded(4)))
    returned = undo(first, second).kernel[4].returned_jumps
    assert returned[:2] == (("INPUT", 1, "-j ufw-before-logging-input"), ("INPUT", 3, "-j ufw-before-input"))
    assert "-j ufw-reject-input" not in [rule for _, _, rule in returned]
