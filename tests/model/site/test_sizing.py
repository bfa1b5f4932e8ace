"""The sizing follows from its assumptions, keeps the requirements' fixed points, and never shrinks with more users."""

from __future__ import annotations

from itertools import pairwise
from math import ceil
from pathlib import Path

import pytest

from model.site.sizing import (
    ASSUMPTIONS,
    SMALL,
    SMALL_FLOOR,
    SMALL_PROCESSES,
    SMALL_USERS,
    STEPS,
    Size,
    at,
    by_purpose,
    monitoring,
    needs,
    processes,
    recommended,
    sizes,
    step,
)
from model.site.sizing import servers_needed as needed
from tests.mutation import site

FIVE = Path(__file__).parents[2] / "data" / "five-servers"


def test_steps_are_those_of_the_requirements() -> None:
    assert STEPS == (100, 1_000, 5_000, 10_000, 20_000)


@pytest.mark.parametrize(
    ("users", "expected"), [(1, 100), (100, 100), (101, 1_000), (4_999, 5_000), (20_000, 20_000), (10**6, 20_000)]
)
def test_a_number_between_steps_takes_the_next_one_up(users: int, expected: int) -> None:
    assert step(users) == expected


def test_hundred_users_need_the_database_the_requirements_name() -> None:
    assert at(100)["postgresql"] == Size(servers=3, cpus=1, ram_gib=2, disk_gib=50)


@pytest.mark.parametrize("users", STEPS)
def test_counts_the_requirements_fix_hold_at_every_step(users: int) -> None:
    roles = at(users)
    assert roles["control-plane"].servers == 3
    assert (roles["objects"].servers, roles["objects"].drives) == (4, 2)
    assert 2 <= roles["calls"].servers <= 4
    assert roles["interception"].servers >= 1
    assert roles["observation"].servers == 1
    assert roles["application"].servers >= 3
    assert roles["postgresql"].servers == 3


def test_twenty_thousand_users_need_four_call_servers() -> None:
    assert at(20_000)["calls"].servers == 4


@pytest.mark.parametrize("users", STEPS)
def test_half_of_the_raw_storage_holds_a_year_of_media(users: int) -> None:
    storage = at(users)["objects"]
    usable = storage.servers * storage.total_disk_gib * 4 / 8
    assert usable * 2**30 >= users * ASSUMPTIONS["media_bytes_per_day"].value * 365


@pytest.mark.parametrize("users", STEPS)
def test_workers_carry_every_process_after_losing_one_server(users: int) -> None:
    workers = at(users)["application"]
    assert (workers.servers - 1) * (workers.cpus - 2) >= processes(users)


def test_processes_follow_requests_and_events() -> None:
    assert processes(20_000) == 5 + ceil(20_000 * 0.2 / 40) + 20_000 // 4_000


def test_nothing_shrinks_with_more_users() -> None:
    for fewer, more in pairwise(STEPS):
        for role, small in at(fewer).items():
            large = at(more)[role]
            assert small.servers * small.cpus <= large.servers * large.cpus, role
            assert small.ram_gib * small.servers <= large.ram_gib * large.servers, role
            assert small.total_disk_gib <= large.total_disk_gib, role


def test_li_has_room_for_a_dump_beside_the_copy() -> None:
    for users in STEPS:
        assert at(users)["interception"].disk_gib >= 2 * at(users)["postgresql"].disk_gib


def test_a_small_site_is_judged_by_its_floor_and_another_by_the_step(tmp_path: Path) -> None:
    for size in ("small", "lab"):
        assert by_purpose(site(tmp_path / size, set={"site:size": size}).settings) is SMALL_FLOOR
    auto = site(tmp_path / "auto", set={"site:size": "auto", "site:concurrent_users": 700})
    assert by_purpose(auto.settings) == at(1_000)
    assert sizes(auto)["database"] == at(1_000)["postgresql"]


def test_every_role_of_the_reference_site_has_a_size(tmp_path: Path) -> None:
    loaded = site(tmp_path)
    servers = {name for name, traits in loaded.roles.items() if traits.kind == "server"}
    assert servers == set(sizes(loaded))
    assert (
        {traits.purpose for traits in loaded.roles.values()} - {None} == set(SMALL_FLOOR) == set(SMALL) == set(at(100))
    )


def test_a_groups_file_of_before_purposes_means_the_same(tmp_path: Path) -> None:
    assert "purpose" not in (FIVE / "groups.yaml").read_text("utf-8")
    before = site(tmp_path / "before", FIVE).roles
    assert {name: traits.purpose for name, traits in before.items()} == {
        name: traits.purpose for name, traits in site(tmp_path / "now").roles.items()
    }
    assert before["database"].purpose == "postgresql"


def test_a_role_of_another_name_has_the_purpose_it_says_and_no_other(tmp_path: Path) -> None:
    declared = site(tmp_path / "said", FIVE, set={"groups:pg": {"data": {"node": "worker", "purpose": "postgresql"}}})
    assert sizes(declared)["pg"] == at(100)["postgresql"]
    silent = site(tmp_path / "silent", FIVE, set={"groups:pg": {"data": {"node": "worker"}}})
    assert silent.roles["pg"].purpose is None
    assert "pg" not in sizes(silent)
    assert needed(silent, "pg") == 0


def test_two_roles_of_one_purpose_share_the_servers_it_needs(tmp_path: Path) -> None:
    edits = {
        "groups:replica": {"data": {"node": "worker", "purpose": "postgresql"}},
        "groups:database.data.minimum": 1,
        "hosts:n-2.groups": ["control_plane", "worker", "replica", "storage"],
        "hosts:n-3.groups": ["control_plane", "worker", "replica", "storage"],
    }
    split = site(tmp_path, FIVE, set=edits)
    assert [machine.name for machine in split.with_purpose("postgresql")] == ["n-1", "n-2", "n-3"]
    assert (needed(split, "database"), needed(split, "replica")) == (1, 2)
    assert len(needs(split, split.by_name["n-1"])) == 4


def test_small_is_smaller_than_the_smallest_step_and_keeps_its_quorums() -> None:
    for purpose, small in SMALL.items():
        large = at(SMALL_USERS)[purpose]
        assert small.servers == large.servers, purpose
        assert small.cpus <= large.cpus, purpose
        assert small.ram_gib <= large.ram_gib, purpose
        assert small.total_disk_gib <= large.total_disk_gib, purpose


def test_two_servers_of_small_carry_every_process_after_losing_one() -> None:
    workers = SMALL["application"]
    assert (workers.servers - 1) * (workers.cpus - 2) >= SMALL_PROCESSES
    assert (workers.ram_gib - 4) * (workers.servers - 1) >= SMALL_PROCESSES * ASSUMPTIONS["worker_gib"].value


def test_half_of_the_raw_storage_of_small_holds_a_year_of_media() -> None:
    objects = SMALL["objects"]
    assert objects.servers * objects.total_disk_gib * 2**30 / 2 >= (
        SMALL_USERS * ASSUMPTIONS["media_bytes_per_day"].value * 365
    )
    assert SMALL["observation"].disk_gib >= monitoring(5).disk_gib


def test_five_servers_of_small_hold_the_roles_of_the_five_server_site(tmp_path: Path) -> None:
    small = site(tmp_path, FIVE, set={"site:size": "small"})
    together = [
        (sum(s.cpus for s in n), sum(s.ram_gib for s in n)) for n in (recommended(small, m) for m in small.servers)
    ]
    assert together == [(8, 14), (8, 14), (8, 14), (5, 9), (2, 6)]


def test_what_is_recommended_is_never_below_what_is_needed(tmp_path: Path) -> None:
    for purpose, floor in SMALL_FLOOR.items():
        more = SMALL[purpose]
        assert floor.servers <= more.servers
        assert floor.cpus <= more.cpus
        assert floor.ram_gib <= more.ram_gib
        assert floor.total_disk_gib <= more.total_disk_gib
    small = site(tmp_path / "small", FIVE, set={"site:size": "small"})
    assert [sum(size.cpus for size in needs(small, machine)) for machine in small.servers] == [4, 4, 4, 2, 1]
    large = site(tmp_path / "auto", FIVE)
    assert all(recommended(large, machine) == needs(large, machine) for machine in large.servers)
