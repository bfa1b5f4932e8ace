"""The sizing follows from its assumptions, keeps the requirements' fixed points, and never shrinks with more users."""

from __future__ import annotations

from itertools import pairwise
from math import ceil
from pathlib import Path

import pytest

from model.site.sizing import ASSUMPTIONS, LAB, STEPS, Size, at, processes, sizes, step
from tests.mutation import site


def test_steps_are_those_of_the_requirements() -> None:
    assert STEPS == (100, 1_000, 5_000, 10_000, 20_000)


@pytest.mark.parametrize(
    ("users", "expected"), [(1, 100), (100, 100), (101, 1_000), (4_999, 5_000), (20_000, 20_000), (10**6, 20_000)]
)
def test_a_number_between_steps_takes_the_next_one_up(users: int, expected: int) -> None:
    assert step(users) == expected


def test_hundred_users_need_the_database_the_requirements_name() -> None:
    assert at(100)["database"] == Size(servers=3, cpus=1, ram_gib=2, disk_gib=50)


@pytest.mark.parametrize("users", STEPS)
def test_counts_the_requirements_fix_hold_at_every_step(users: int) -> None:
    roles = at(users)
    assert roles["control_plane"].servers == 3
    assert (roles["storage"].servers, roles["storage"].drives) == (4, 2)
    assert 2 <= roles["call"].servers <= 4
    assert roles["li"].servers >= 1
    assert roles["monitoring"].servers == 1
    assert roles["worker"].servers >= 3
    assert roles["database"].servers == 3


def test_twenty_thousand_users_need_four_call_servers() -> None:
    assert at(20_000)["call"].servers == 4


@pytest.mark.parametrize("users", STEPS)
def test_half_of_the_raw_storage_holds_a_year_of_media(users: int) -> None:
    storage = at(users)["storage"]
    usable = storage.servers * storage.total_disk_gib * 4 / 8
    assert usable * 2**30 >= users * ASSUMPTIONS["media_bytes_per_day"].value * 365


@pytest.mark.parametrize("users", STEPS)
def test_workers_carry_every_process_after_losing_one_server(users: int) -> None:
    workers = at(users)["worker"]
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
        assert at(users)["li"].disk_gib >= 2 * at(users)["database"].disk_gib


def test_a_lab_takes_the_lab_sizes_and_production_the_step(tmp_path: Path) -> None:
    assert sizes(site(tmp_path / "lab").settings) is LAB
    assert sizes(site(tmp_path / "auto", set={"site:size": "auto", "site:concurrent_users": 700}).settings) == at(1_000)


def test_every_role_of_the_reference_site_has_a_size(tmp_path: Path) -> None:
    servers = {name for name, traits in site(tmp_path).roles.items() if traits.kind == "server"}
    assert servers == set(LAB) == set(at(100))
