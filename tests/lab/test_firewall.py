"""The firewall flow on real hosts: repeatable, true to the matrix, and careful with what is not its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.driver import Lab, booted
from tests.lab.firewalls import apply, files, run, sh, state

HOSTS = ("cp-1", "cp-2", "cp-3", "w-1", "db-1", "li-1")


@pytest.fixture(scope="module")
def fleet(real_machine: None) -> Iterator[Lab]:
    with booted("tf", "--profile", "small") as lab:
        apply(lab)
        yield lab


def test_a_second_run_finds_everything_as_declared_and_touches_no_file(fleet: Lab) -> None:
    before = {host: files(fleet, host) for host in HOSTS}
    done = run(fleet)
    assert (done.exit, {outcome["status"] for outcome in done.report["outcomes"]}) == (0, {"ok"})
    assert sorted(outcome["host"] for outcome in done.report["outcomes"]) == sorted(HOSTS)
    assert {host: files(fleet, host) for host in HOSTS} == before


def test_rules_changed_by_hand_are_shown_and_then_put_right(fleet: Lab) -> None:
    before = {host: state(fleet, host) for host in HOSTS}
    sh(fleet, "w-1", "ufw allow 9999/tcp")
    sh(fleet, "db-1", "ufw --force delete 3")
    by_hand = {host: state(fleet, host) for host in HOSTS}
    dry = run(fleet, "--dry-run")
    assert (dry.exit, dry.status("w-1"), dry.status("db-1"), dry.status("cp-1")) == (2, "drift", "drift", "ok")
    assert "-allow tcp 9999 from anywhere" in dry.outcome("w-1")["evidence"]
    assert {host: state(fleet, host) for host in HOSTS} == by_hand
    done = run(fleet)
    assert (done.exit, done.status("w-1"), done.status("db-1"), done.status("cp-1")) == (0, "changed", "changed", "ok")
    assert [done.outcome(host)["evidence"] for host in HOSTS] == [dry.outcome(host)["evidence"] for host in HOSTS]
    assert {host: state(fleet, host) for host in HOSTS} == before


def test_a_rule_changed_in_the_kernel_alone_is_put_right(fleet: Lab) -> None:
    before = state(fleet, "cp-2")
    sh(fleet, "cp-2", "iptables -P INPUT ACCEPT; iptables -D INPUT -j ufw-before-input; ip6tables -F ufw6-user-input")
    done = run(fleet, "--limit", "cp-2")
    assert (done.exit, done.status("cp-2")) == (0, "changed")
    assert state(fleet, "cp-2") == before


def test_ufws_own_commands_go_on_working_and_keep_our_rules(fleet: Lab) -> None:
    before = state(fleet, "cp-1")
    assert "10.20.0.0/24" in sh(fleet, "cp-1", "ufw status numbered")
    sh(fleet, "cp-1", "ufw allow 9999/tcp comment x && ufw --force delete allow 9999/tcp")
    assert state(fleet, "cp-1") == before


def test_what_the_kernel_holds_is_what_ufw_itself_would_load(fleet: Lab) -> None:
    before = state(fleet, "cp-3")
    sh(fleet, "cp-3", "ufw reload")
    assert state(fleet, "cp-3") == before


def test_rules_of_others_are_kept(fleet: Lab) -> None:
    sh(
        fleet,
        "w-1",
        "iptables -N KUBE-FORWARD; iptables -A FORWARD -j KUBE-FORWARD; iptables -t nat -A PREROUTING -p tcp "
        "--dport 1 -j ACCEPT;"
        "nft add table inet own; nft add chain inet own c; ufw allow 9999/tcp",
    )
    others = "iptables-save | grep -E 'KUBE-|dport 1 '; nft list table inet own"
    before = sh(fleet, "w-1", others)
    done = run(fleet, "--limit", "w-1")
    assert [outcome["status"] for outcome in done.report["outcomes"]] == ["changed"]
    assert sh(fleet, "w-1", others) == before
    sh(
        fleet,
        "w-1",
        "iptables -D FORWARD -j KUBE-FORWARD; iptables -X KUBE-FORWARD; nft delete table inet own; iptables -t nat -F",
    )


def test_verdicts_of_others_around_ufw_and_an_undeclared_opening_of_ufws_are_findings(fleet: Lab) -> None:
    sh(
        fleet,
        "w-1",
        "iptables -I INPUT 1 -p tcp --dport 5432 -j ACCEPT; iptables -A INPUT -p tcp --dport 8888 -j ACCEPT",
    )
    sh(
        fleet,
        "db-1",
        "sed -i 's/^COMMIT/-A ufw-before-input -p tcp --dport 8081 -j ACCEPT\\nCOMMIT/' /etc/ufw/before.rules",
    )
    done = run(fleet)
    assert done.exit == 2
    assert (done.status("w-1"), done.status("w-1", "foreign-rules")) == ("ok", "drift")
    assert "5432" in done.outcome("w-1", "foreign-rules")["evidence"]
    assert "8888" in done.outcome("w-1", "foreign-rules")["evidence"]
    assert "8081" in done.outcome("db-1", "builtin-openings")["evidence"]
    sh(fleet, "w-1", "iptables -D INPUT 1; iptables -D INPUT -p tcp --dport 8888 -j ACCEPT")
    sh(fleet, "db-1", "sed -i '/8081/d' /etc/ufw/before.rules")
    assert run(fleet).exit == 0


def test_rules_before_input_and_of_the_older_iptables_are_findings_and_stay(fleet: Lab) -> None:
    sh(
        fleet,
        "cp-3",
        "iptables -t nat -I PREROUTING -p tcp --dport 6000 -j REDIRECT --to-ports 10250;"
        "iptables-legacy -t raw -A PREROUTING -p tcp --dport 31000 -j DROP",
    )
    before = state(fleet, "cp-3")
    done = run(fleet, "--limit", "cp-3")
    found = done.outcome("cp-3", "foreign-rules")
    assert (done.exit, done.status("cp-3"), found["status"]) == (2, "ok", "drift")
    assert "iptables -t nat -A PREROUTING" in found["evidence"]
    assert "iptables-legacy -t raw -A PREROUTING" in found["evidence"]
    assert state(fleet, "cp-3") == before
    for _rule in ("raw", "nat"):
        told = run(fleet, "--limit", "cp-3", "--dry-run").outcome("cp-3", "foreign-rules")["next"]
        sh(fleet, "cp-3", told.split("`")[1])
    assert run(fleet, "--limit", "cp-3").exit == 0


def test_restore_brings_a_file_back_to_its_last_byte(fleet: Lab) -> None:
    sh(fleet, "db-1", "sed -i '/^IPV6=/d' /etc/default/ufw && printf 'IPV6=no' >>/etc/default/ufw")
    before = sh(fleet, "db-1", "sha256sum /etc/default/ufw")
    assert run(fleet, "--limit", "db-1").status("db-1") == "changed"
    assert sh(fleet, "db-1", "sha256sum /etc/default/ufw") != before
    assert run(fleet, "restore", "db-1").status("db-1") == "changed"
    assert sh(fleet, "db-1", "sha256sum /etc/default/ufw") == before
    assert run(fleet, "--limit", "db-1").status("db-1") == "changed"


def test_a_dead_host_is_its_own_failure_and_hides_no_other(fleet: Lab) -> None:
    sh(fleet, "w-1", "ufw allow 9999/tcp")
    fleet.do("poweroff", "cp-3")
    done = run(fleet)
    fleet.do("poweron", "cp-3")
    assert (done.exit, done.status("cp-3"), done.status("w-1"), done.status("db-1")) == (3, "failed", "changed", "ok")


def test_a_host_never_managed_keeps_its_own_rules_until_somebody_decides(fleet: Lab) -> None:
    assert run(fleet, "restore", "li-1").exit == 0
    assert "inactive" in sh(fleet, "li-1", "ufw status")
    sh(fleet, "li-1", "ufw allow 8081/tcp; ufw allow 22/tcp; ufw limit 2222/tcp")
    before = state(fleet, "li-1")
    stopped = run(fleet)
    assert (stopped.exit, stopped.status("li-1"), stopped.status("w-1")) == (2, "drift", "ok")
    assert "8081" in stopped.outcome("li-1")["evidence"]
    assert "adopt" in stopped.outcome("li-1")["next"]
    assert state(fleet, "li-1") == before
    proposed = run(fleet, "adopt", "--dry-run")
    assert proposed.exit == 2
    assert "adopted-li-tcp-8081-from-internet" in proposed.outcome("controller", "ports.yaml")["evidence"]
    assert "limit tcp 2222" in proposed.outcome("li-1")["evidence"]
    sh(fleet, "li-1", "ufw --force delete limit 2222/tcp")
    ports = fleet.inventory / "ports.yaml"
    kept = ports.read_text("utf-8")
    try:
        assert run(fleet, "adopt").exit == 0
        adopted = run(fleet, "--limit", "li-1")
        assert (adopted.exit, adopted.status("li-1")) == (0, "changed")
        assert "8081" in sh(fleet, "li-1", "ufw status")
    finally:
        ports.write_text(kept, "utf-8")
    assert run(fleet, "--purge").exit == 0
    assert "8081" not in sh(fleet, "li-1", "ufw status")
