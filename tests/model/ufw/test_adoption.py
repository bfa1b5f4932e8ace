"""A person's own rules become rows that say the same, and what no row can say is named."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree

import pytest
import yaml

from model.site.load import load_site
from model.site.rows import Row
from model.ufw.adoption import AdoptedRow, adopt, appended, covered
from model.ufw.rule import UfwRule, parse
from model.ufw.state import desired_rules
from tests.model.ufw.test_state import FIVE, TESTS

N1 = FIVE.by_name["n-1"]


def rule(port: str, source: str = "0.0.0.0/0", action: str = "allow", protocol: str = "tcp") -> UfwRule:
    return UfwRule(
        action=action,
        protocol=protocol,
        destination_port=port,
        destination="0.0.0.0/0",
        source_port="any",
        source=source,
    )


def test_sources_become_the_words_and_roles_that_stand_for_them() -> None:
    rows, left = adopt(FIVE, N1, [rule("8081"), rule("8082", "192.168.20.0/24"), rule("8083", "192.168.10.15")])
    assert [row.end for row in rows] == ["internet", "management", "monitoring"]
    assert left == ()


def test_both_families_and_both_protocols_of_a_rule_are_rows_once() -> None:
    rows, _ = adopt(
        FIVE,
        N1,
        [
            rule("53", protocol="any"),
            UfwRule(
                action="allow",
                protocol="any",
                destination_port="53",
                destination="::/0",
                source_port="any",
                source="::/0",
            ),
        ],
    )
    assert [(row.protocol, row.ports) for row in rows] == [("tcp", ("53",)), ("udp", ("53",))]


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        (rule("22", action="limit"), "limit"),
        (rule("any"), "every port"),
        (rule("8081", "10.9.8.7"), "10.9.8.7"),
        (rule("8081", "10.9.0.0/16"), "10.9.0.0/16"),
        (
            UfwRule(
                action="allow",
                protocol="tcp",
                destination_port="80",
                destination="0.0.0.0/0",
                source_port="any",
                source="0.0.0.0/0",
                where="in_eth0",
            ),
            "rows speak of",
        ),
        (rule("any", protocol="gre"), "gre"),
    ],
)
def test_what_no_row_can_say_is_named_with_the_reason(own: UfwRule, reason: str) -> None:
    rows, left = adopt(FIVE, N1, [own])
    assert rows == ()
    assert reason in left[0]


def test_the_name_of_an_application_profile_is_a_label() -> None:
    """As `ufw allow OpenSSH` and `ufw allow from 192.168.20.0/24 to any app Samba` leave them."""
    text = """### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 OpenSSH - in
### tuple ### allow udp 137,138 0.0.0.0/0 any 192.168.20.0/24 Samba - in
"""
    rows, left = adopt(FIVE, N1, parse(text))
    assert left == ()
    assert [(row.end, row.protocol, row.ports) for row in rows] == [
        ("internet", "tcp", ("22",)),
        ("management", "udp", ("137", "138")),
    ]


def test_a_site_with_the_adopted_rows_wants_what_was_there(tmp_path: Path) -> None:
    own = [rule("8081"), rule("9000:9010", "192.168.20.0/24"), rule("8083", "192.168.10.15")]
    rows, _ = adopt(FIVE, N1, own)
    site = Path(copytree(TESTS / "data" / "five-servers", tmp_path / "site"))
    ports = site / "ports.yaml"
    ports.write_text(appended(ports.read_text("utf-8"), [row.line(["n-1"]) for row in rows]), "utf-8")
    after = load_site(site)
    wanted = desired_rules(after, after.by_name["n-1"], 4)
    assert all(covered(own_rule, wanted) for own_rule in own)
    assert not any(covered(own_rule, desired_rules(FIVE, N1, 4)) for own_rule in own)


def test_a_row_is_valid_whatever_its_parts() -> None:
    row = AdoptedRow("li_clients", "control_plane", "udp", ("1-65535",))
    (read,) = yaml.safe_load(row.line(["a", "b"]))
    assert read["name"] == "adopted-control-plane-udp-1-65535-from-li-clients"
    assert Row.model_validate_json(json.dumps(read)).intervals == ((1, 65535),)


def test_rows_are_added_with_the_indent_of_the_file() -> None:
    assert appended("rows:\n- {a: 1}", ["- {b: 2}"]) == "rows:\n- {a: 1}\n- {b: 2}\n"
    assert appended("rows:\n    - {a: 1}\n", ["- {b: 2}"]) == "rows:\n    - {a: 1}\n    - {b: 2}\n"


def test_a_refusal_is_never_covered_by_an_admission() -> None:
    assert not covered(rule("22", "192.168.20.0/24", action="deny"), desired_rules(FIVE, N1, 4))
    assert covered(rule("22", "192.168.20.7"), desired_rules(FIVE, N1, 4))
