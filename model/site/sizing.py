"""How many servers of which purpose, with how much CPU, memory and disk, a number of concurrent users needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from model.site.hosts import Machine, Purpose
from model.site.settings import Settings
from model.site.site import Site

STEPS = (100, 1_000, 5_000, 10_000, 20_000)
GIB = 2**30
DAYS = 365


@dataclass(frozen=True, slots=True)
class Assumption:
    """A number the arithmetic starts from, its unit, and why it is that high."""

    value: float
    unit: str
    why: str


ASSUMPTIONS: Mapping[str, Assumption] = {
    "requests_per_second": Assumption(0.2, "requests/s a user", "a long poll every 30 s, and sends, receipts, typing"),
    "events_per_day": Assumption(100, "events/day a user", "messages, reactions, receipts kept, membership changes"),
    "event_bytes": Assumption(2048, "bytes an event", "its JSON, its columns and its share of every index"),
    "media_bytes_per_day": Assumption(2 * 2**20, "bytes/day a user", "pictures and files, thumbnails included"),
    "requests_per_worker": Assumption(40, "requests/s a Synapse process", "one process fills one CPU"),
    "worker_gib": Assumption(1.5, "GiB a Synapse process", "its caches at the factor the templates set"),
    "users_per_persister": Assumption(4000, "users an event persister", "writers of the event stream"),
    "call_share": Assumption(0.05, "of all users", "in a group call at the same time"),
    "participants_per_node": Assumption(250, "participants a LiveKit node", "video, 16 CPU"),
    "metric_series": Assumption(3000, "series a server", "node, kubelet, pods and applications"),
    "sample_bytes": Assumption(2, "bytes a sample", "Prometheus's compression"),
    "log_bytes_per_day": Assumption(GIB // 2, "bytes/day a server", "all containers and the system, compressed"),
    "headroom": Assumption(2, "times", "growth, vacuum, dumps, and a disk never fuller than half"),
}


@dataclass(frozen=True, slots=True)
class Size:
    """What each of `servers` of a purpose needs: CPUs, memory in GiB, data disk in GiB each in `drives` pieces."""

    servers: int
    cpus: int
    ram_gib: int
    disk_gib: int
    drives: int = 1

    @property
    def total_disk_gib(self) -> int:
        """Data disk of one server."""
        return self.disk_gib * self.drives


# A small site has two tables. By this one, the floor, lint, preflight and compliance judge it: enough to prove ports
# and boot a cluster, also one of containers on a single machine, which is why `small` was once called `lab`. SMALL is
# what is recommended for serving people: lint warns of hardware that hosts.yaml declares and that is less.
SMALL_FLOOR: Mapping[Purpose, Size] = {
    "control-plane": Size(3, 1, 1, 5),
    "application": Size(1, 1, 1, 5),
    "postgresql": Size(1, 1, 1, 5),
    "objects": Size(0, 1, 1, 5),
    "calls": Size(0, 1, 1, 5),
    "interception": Size(1, 1, 1, 5),
    "observation": Size(0, 1, 1, 5),
}
# Five servers with several roles each, for so many users by so many Synapse processes: main, requests, media, sending.
SMALL_USERS, SMALL_PROCESSES = STEPS[0], 4
SMALL: Mapping[Purpose, Size] = {
    "control-plane": Size(3, 2, 3, 20),
    "application": Size(3, 4, 7, 50),
    "postgresql": Size(3, 1, 2, 50),
    "objects": Size(4, 1, 2, 50, drives=2),
    "calls": Size(2, 2, 2, 20),
    "interception": Size(1, 3, 6, 100),
    "observation": Size(1, 2, 6, 200),
}


def sizes(site: Site) -> Mapping[str, Size]:
    """Return the size of each of the site's roles that has a purpose."""
    table = by_purpose(site.settings)
    return {name: table[traits.purpose] for name, traits in site.roles.items() if traits.purpose}


def by_purpose(settings: Settings) -> Mapping[Purpose, Size]:
    """Return the sizes a site is judged by: a small one's floor, or the next step up from its concurrent users."""
    return SMALL_FLOOR if settings.size == "small" else at(step(settings.concurrent_users))


def most_users(settings: Settings) -> int:
    """Return for how many users the sizes recommended for the site were worked out."""
    return SMALL_USERS if settings.size == "small" else STEPS[-1]


def servers_needed(site: Site, role: str) -> int:
    """Return how many servers the role needs: its own minimum, and what others of its purpose leave to it."""
    traits = site.roles[role]
    if traits.purpose is None:
        return traits.minimum
    others = len(site.with_purpose(traits.purpose)) - len(site.with_role(role))
    return max(traits.minimum, by_purpose(site.settings)[traits.purpose].servers - others)


def needs(site: Site, machine: Machine) -> tuple[Size, ...]:
    """Return what each purpose of the machine's roles asks of it."""
    return _asked(by_purpose(site.settings), site, machine)


def recommended(site: Site, machine: Machine) -> tuple[Size, ...]:
    """Return what each purpose of the machine's roles should have: on a small site more than it needs."""
    table = SMALL if site.settings.size == "small" else by_purpose(site.settings)
    return _asked(table, site, machine)


def _asked(table: Mapping[Purpose, Size], site: Site, machine: Machine) -> tuple[Size, ...]:
    purposes = dict.fromkeys(site.roles[role].purpose for role in machine.roles)
    return tuple(table[purpose] for purpose in purposes if purpose)


def step(users: int) -> int:
    """Return the smallest step that holds `users`; the largest one for more (lint warns of it)."""
    return next((step for step in STEPS if users <= step), STEPS[-1])


def at(users: int) -> Mapping[Purpose, Size]:
    """Return each purpose's size for `users` concurrent users."""
    outside: Mapping[Purpose, Size] = {
        "application": worker(users),
        "postgresql": database(users),
        "objects": storage(users),
        "calls": call(users),
        "interception": li(users),
    }
    others = sum(size.servers for size in outside.values()) + 1
    return {"control-plane": control_plane(others), **outside, "observation": monitoring(others + 3)}


def control_plane(others: int) -> Size:
    """Size three control planes: etcd's quorum outlives one; memory grows with the nodes they watch."""
    return Size(3, 2 + others // 10, 4 + 4 * (others // 10), 50)


def processes(users: int) -> int:
    """
    Return how many Synapse processes `users` need: by requests, by events written, and five that each do one thing.
    """
    requests = users * _a("requests_per_second") / _a("requests_per_worker")
    return 5 + ceil(requests) + ceil(users / _a("users_per_persister"))


def worker(users: int) -> Size:
    """
    Size the application servers so that all processes fit after one server is lost.

    Every server also carries the ingress, HAProxy, Redis, Element and the scanner: 2 CPU and 4 GiB.
    """
    needed = processes(users)
    servers = max(3, 1 + ceil(needed / 14))
    share = ceil(needed / (servers - 1))
    return Size(servers, _even(share + 2), _even(ceil(share * _a("worker_gib")) + 4), 100)


def database(users: int) -> Size:
    """
    Size each of three PostgreSQL servers: one writes, two follow, each holds everything.

    100 users: 2 GiB, 1 CPU, 50 GiB for the database itself. CPU then grows by one for 1,250 users, memory by 4 GiB a
    CPU.
    """
    cpus = ceil(users / 1250)
    ram = 2 if users <= STEPS[0] else 4 * max(cpus, 2)
    growth = users * _a("events_per_day") * _a("event_bytes") * DAYS / GIB
    return Size(3, cpus, ram, _round(30 + growth * _a("headroom"), 50))


def storage(users: int) -> Size:
    """Size four object storage servers of two drives: four parity shards of eight leave half of the raw space."""
    media = users * _a("media_bytes_per_day") * DAYS / GIB
    raw = (media + 50) * 2
    return Size(4, 2 + users // 5000, 4 + 4 * (users // 5000), _round(raw / 8, 50), drives=2)


def call(users: int) -> Size:
    """Size two to four call servers by the participants of group calls."""
    participants = users * _a("call_share")
    servers = min(4, max(2, ceil(participants / _a("participants_per_node"))))
    cpus = min(16, max(4, _even(ceil(16 * participants / servers / _a("participants_per_node")))))
    return Size(servers, cpus, cpus, 20)


def li(users: int) -> Size:
    """Size the LI server: a Synapse, and a PostgreSQL with room for a dump beside the copy it replaces."""
    main = database(users)
    return Size(1, 2 + main.cpus, 4 + main.ram_gib, _round(main.disk_gib * 2, 50))


def monitoring(servers: int) -> Size:
    """Size the monitoring server for 30 days of a sample every 30 s from each series, and 30 days of logs."""
    series = servers * _a("metric_series")
    metrics = series * (86400 / 30) * 30 * _a("sample_bytes") / GIB
    logs = servers * _a("log_bytes_per_day") * 30 / GIB
    return Size(1, 4, 8 + 4 * ceil(series / 100_000), _round((metrics + logs) * _a("headroom"), 50))


def _a(name: str) -> float:
    return ASSUMPTIONS[name].value


def _even(number: int) -> int:
    return number + number % 2


def _round(value: float, to: int) -> int:
    return ceil(value / to) * to
