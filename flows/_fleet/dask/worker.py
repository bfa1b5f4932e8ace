"""What a Dask worker does with a host, and how task, host and answer travel."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model.errors import HostError

if TYPE_CHECKING:
    from nornir.core.inventory import Host
    from nornir.core.task import MultiResult, Task


@dataclass(frozen=True, slots=True, repr=False)
class Parcel:
    """Bytes that no log ever shows: Dask's show the arguments of what failed."""

    content: bytes


@dataclass(frozen=True, slots=True)
class _Order:
    """A task as it travels: what it runs, and sudo's password where hosts ask for one."""

    function: Callable[..., Any]
    parameters: Mapping[str, Any]
    name: str
    severity: int
    password: str


def pack_task(task: Task) -> Parcel:
    """Return a task for any number of hosts; functions go by value where workers could not import them."""
    import cloudpickle

    from remote.sudo import PASSWORD

    password = PASSWORD.get()
    revealed = password.get_secret_value() if password else ""
    return Parcel(cloudpickle.dumps(_Order(task.task, task.params, task.name, task.severity_level, revealed)))


def pack_host(host: Host) -> Parcel:
    """Return a host without its connections, which are of this process."""
    from nornir.core.inventory import Host as Bare

    own = {key: object.__getattribute__(host, key) for key in _OWN}
    return Parcel(pickle.dumps(Bare(host.name, defaults=host.defaults, **own)))


_OWN = ("hostname", "port", "username", "password", "platform", "groups", "data", "connection_options")


def perform(order: Parcel, traveller: Parcel) -> Parcel:
    """Run a task on a host in this process and close its connections; return what `unpack` reads, and never raise."""
    name = ""
    try:
        received: _Order = pickle.loads(order.content)  # noqa: S301 - from the process that may run what it likes here
        host: Host = pickle.loads(traveller.content)  # noqa: S301 - likewise
        name = host.name
        _settle(received.password)
        try:
            return _packed(name, _task(received).start(host))
        finally:
            host.close_connections()
    except BaseException as error:  # noqa: BLE001 - whatever ends a task ends it for this host alone
        return _packed(name, _failed(name, error))


def unpack(answer: Parcel, host: Host) -> MultiResult:
    """Return a worker's answer as if it had been given here."""
    results: MultiResult = pickle.loads(answer.content)  # noqa: S301 - workers are as trusted as this process
    for result in results:
        result.host = host
    return results


def lost(host: Host, name: str, message: str) -> MultiResult:
    """Return the answer of a host that no worker lived to ask."""
    step = "did the machine run out of memory, or did somebody end the process? `journalctl -k` there may tell"
    return _of(name, HostError(host.name, message, step))


def _settle(password: str) -> None:
    """Make this process ready for hosts, as the controller is."""
    import logging

    from nornir.core.plugins.connections import ConnectionPluginRegister

    from remote.connection import Connection
    from remote.dial import quiet
    from remote.route import CONNECTION
    from remote.sudo import PASSWORD

    quiet()
    logging.getLogger("nornir").setLevel(logging.CRITICAL + 1)
    ConnectionPluginRegister.available[CONNECTION] = Connection
    PASSWORD.put(password)


def _task(received: _Order) -> Task:
    from nornir.core import Nornir
    from nornir.core.inventory import Hosts, Inventory
    from nornir.core.processor import Processors
    from nornir.core.task import Task

    alone = Nornir(Inventory(Hosts()))
    return Task(
        received.function, alone, False, Processors(), received.name, received.severity, None, **received.parameters
    )


def _packed(name: str, results: MultiResult) -> Parcel:
    for result in results:
        result.host = None
    try:
        content = pickle.dumps(results)
        pickle.loads(content)  # noqa: S301 - what cannot be read again would be found out in the controller
    except Exception as error:  # noqa: BLE001 - an answer may hold anything
        content = pickle.dumps(_failed(name, error))
    return Parcel(content)


def _failed(name: str, error: BaseException) -> MultiResult:
    cause = f"{type(error).__name__}: {error}"
    return _of("", HostError(name, f"its answer was lost in the worker process: {cause}", "report this as a bug"))


def _of(name: str, error: HostError) -> MultiResult:
    from nornir.core.task import MultiResult, Result

    results = MultiResult(name)
    results.append(Result(None, failed=True, exception=error))
    return results
