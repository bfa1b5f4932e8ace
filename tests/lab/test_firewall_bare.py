"""On hosts without ufw, sudo and python3 the flow brings what it needs, and does not cut the session that does it."""

from __future__ import annotations

from tests.lab.driver import Lab
from tests.lab.firewalls import run, sh


def test_a_bare_host_gets_ufw_from_its_own_sources_and_then_its_rules(bare_lab: Lab) -> None:
    chosen = ("--limit", "w-1,li-1")
    assert sh(bare_lab, "w-1", "command -v ufw; command -v python3; command -v sudo") == ""
    dry = run(bare_lab, "--dry-run", *chosen)
    assert (dry.exit, dry.status("w-1")) == (2, "drift")
    assert "installed" in dry.outcome("w-1")["message"]
    assert sh(bare_lab, "w-1", "command -v ufw") == ""
    done = run(bare_lab, *chosen)
    assert (done.exit, done.status("w-1"), done.status("li-1")) == (0, "changed", "changed")
    assert "Status: active" in sh(bare_lab, "li-1", "ufw status")
    assert {outcome["status"] for outcome in run(bare_lab, *chosen).report["outcomes"]} == {"ok"}


def test_a_host_whose_sources_have_no_ufw_is_its_own_failure(bare_lab: Lab) -> None:
    sh(bare_lab, "db-1", "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*")
    done = run(bare_lab, "--limit", "db-1,w-1")
    assert (done.exit, done.status("db-1"), done.status("w-1")) == (3, "failed", "ok")
    assert "apt" in done.outcome("db-1")["next"]
