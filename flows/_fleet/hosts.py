"""The one place that runs something on hosts: everybody who was asked is heard of, whatever happens to them."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from flows._fleet.watch import Watch
from model.checkout import ROOT
from model.errors import FleetError, HostError, SiteError
from model.report.outcome import Outcome, Status
from remote.route import CONNECTION

if TYPE_CHECKING:
    from nornir.core import Nornir
    from nornir.core.inventory import Host
    from nornir.core.task import Result, Task

T = TypeVar("T")

CONFIG = "MATRIX_FLEET_CONFIG"
SSH_CONFIG = "MATRIX_FLEET_SSH_CONFIG"
_CLOSE_SECONDS = 5.0
_registering = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFailure:
    """What came of a host that gave no answer: `status` is failed, or missing where nothing was heard of it at all."""

    host: str
    exception: Exception | None
    message: str
    next: str = ""
    seconds: float = 0.0
    status: Status = Status.FAILED

    def __reduce__(self) -> tuple[object, ...]:
        """
        Between processes only errors of this project travel: others may not know how, and the message holds their text.
        """
        error = self.exception if isinstance(self.exception, FleetError) else None
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return partial(HostFailure, **{**values, "exception": error}), ()

    def outcome(self, subject: str = "connection") -> Outcome:
        """Return it as an outcome of the report."""
        return Outcome(
            self.host, subject, self.status, self.message, next=self.next, evidence=None, seconds=self.seconds
        )


@dataclass(frozen=True, slots=True)
class _Answer(Generic[T]):
    value: T


def run_on_hosts(
    nr: Nornir,
    task: Callable[[Host], T],
    *,
    names: Sequence[str],
    workers: int = 32,
    on_done: Callable[[str], None] | None = None,
    deadline: float | None = None,
    apart: bool = False,
    watch: Watch | None = None,
) -> dict[str, T | HostFailure]:
    """
    Run a function on every named host, `workers` at a time; the result has every name, in the order of `names`.

    It runs in threads of this process; where `apart` says that it needs nothing of this process and leaves nothing
    behind, by the runner that config.yaml names.

    An exception becomes that host's failure. Hosts that have not answered after `deadline` seconds are failures too and
    are not waited for. `on_done` is called in this thread; `watch` is told more. Only KeyboardInterrupt and its like
    pass through.
    """
    from flows._fleet.runner import Bounded, FleetRunner

    wanted = frozenset(names)
    # Nornir leaves out hosts that failed before; what failed once may answer now.
    nr.data.reset_failed_hosts()
    chosen = nr.filter(filter_func=lambda host: host.name in wanted)
    kind = nr.runner if apart and isinstance(nr.runner, Bounded) else FleetRunner()
    runner = kind.bounded(min(workers, max(1, len(wanted))), deadline, watch.answered if watch else on_done)
    # What goes to other processes takes nothing along that is only here.
    function = _watched(task, watch) if watch and isinstance(kind, FleetRunner) else task
    started = time.monotonic()
    heard = chosen.with_runner(runner).run(
        task=_guarded, name="run_on_hosts", on_failed=True, raise_on_error=False, function=function
    )
    seconds = time.monotonic() - started
    answers: dict[str, T | HostFailure] = {}
    for name in names:
        first = heard[name][0] if name in heard else None
        answer = first.result if first else None
        if isinstance(answer, _Answer):
            answers[name] = answer.value
        elif isinstance(answer, HostFailure):
            answers[name] = answer
        elif first is not None and isinstance(first.exception, Exception):
            answers[name] = _failure(name, first.exception, seconds)
        else:
            answers[name] = _silent(name, name in chosen.inventory.hosts, deadline, seconds)
        if watch:
            watch.ended(name, answers[name])
    return answers


def _watched(task: Callable[[Host], T], watch: Watch) -> Callable[[Host], T]:
    """Return the task that also says when it begins and, with its answer, when it ends, failures left out."""

    def watched(host: Host) -> T:
        watch.begun(host.name)
        started = time.monotonic()
        try:
            answer = task(host)
        except Exception as error:
            watch.ended(host.name, _failure(host.name, error, time.monotonic() - started))
            raise
        watch.ended(host.name, answer)
        return answer

    return watched


def _guarded(task: Task, function: Callable[[Host], T]) -> Result:
    from nornir.core.task import Result

    started = time.monotonic()
    try:
        return Result(task.host, result=_Answer(function(task.host)))
    except Exception as error:  # noqa: BLE001 - whatever goes wrong with one host ends here, as that host's failure
        return Result(task.host, result=_failure(task.host.name, error, time.monotonic() - started))


def _failure(name: str, error: Exception, seconds: float) -> HostFailure:
    if isinstance(error, HostError):
        return HostFailure(host=name, exception=error, message=error.message, next=error.next_step, seconds=seconds)
    if isinstance(error, FleetError):
        return HostFailure(host=name, exception=error, message=str(error), next=error.next_step, seconds=seconds)
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return HostFailure(
        host=name,
        exception=error,
        message=f"unforeseen: {what}",
        next="report this as a bug, with -v's output",
        seconds=seconds,
    )


def _silent(name: str, known: bool, deadline: float | None, seconds: float) -> HostFailure:
    if not known:
        return HostFailure(
            host=name,
            exception=None,
            message="is not in the inventory",
            next="correct hosts.yaml",
            status=Status.MISSING,
        )
    if deadline is not None and seconds >= deadline:
        return HostFailure(
            host=name,
            exception=None,
            message=f"gave no answer in {deadline:g} s",
            next="look at the host's load",
            seconds=seconds,
        )
    return HostFailure(
        host=name,
        exception=None,
        message="was asked and never heard of",
        next="run again",
        seconds=seconds,
        status=Status.MISSING,
    )


def inventory(directory: Path) -> Nornir:
    """
    Load a site's hosts for Nornir; connections are strict about the keys in the folder's known_hosts.

    Raises `SiteError` when Nornir cannot read the folder's files.
    """
    from nornir import InitNornir
    from nornir.core.exceptions import PluginNotRegistered
    from nornir.core.plugins.connections import ConnectionPluginRegister
    from nornir.core.plugins.runners import RunnersPluginRegister

    from flows._fleet.dask.runner import DaskRunner
    from flows._fleet.runner import Bounded, FleetRunner
    from remote.connection import Connection
    from remote.dial import quiet

    quiet()
    # Nornir writes every task's arguments into its log.
    logging.getLogger("nornir").setLevel(logging.CRITICAL + 1)
    files = {f"{kind}_file": str(directory / f"{stem}.yaml") for kind, stem in _FILES}
    options = {"plugin": "SimpleInventory", "options": files}
    with _registering:
        # The package's own entry point of that name comes first and must find the place free.
        ConnectionPluginRegister.available.pop(CONNECTION, None)
        for plugin, runner in (("fleet", FleetRunner), ("dask", DaskRunner)):
            RunnersPluginRegister.register(plugin, runner)
        try:
            nr = InitNornir(config_file=str(config()), inventory=options)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, PluginNotRegistered) as error:
            raise SiteError(
                f"{directory}: Nornir cannot read the inventory or {config()}: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(nr.runner, Bounded):
            raise SiteError(f"{config()}: runner.plugin is {nr.config.runner.plugin}; write fleet or dask")
        ConnectionPluginRegister.available[CONNECTION] = Connection
    _describe_connections(nr, directory.absolute())
    return nr


def config() -> Path:
    """Return the file of Nornir's settings: the environment's, else the program's own."""
    return Path(os.environ.get(CONFIG) or ROOT / "config.yaml")


_FILES = (("host", "hosts"), ("group", "groups"), ("defaults", "defaults"))


def _describe_connections(nr: Nornir, directory: Path) -> None:
    """Resolve each host's options once; relative paths in the site's files start at its folder."""
    from nornir.core.inventory import ConnectionOptions

    config = _ssh_config(nr, directory)
    for name, host in nr.inventory.hosts.items():
        declared = host.get_connection_parameters(CONNECTION)
        extras: dict[str, Any] = dict(declared.extras or {})
        if extras.get("key_file"):
            extras["key_file"] = str(directory / Path(extras["key_file"]).expanduser())
        extras |= {
            "name": name,
            "ssh_strict": True,
            "alt_host_keys": True,
            "alt_key_file": str(directory / "known_hosts"),
            "ssh_config_file": str(config) if config else None,
        }
        host.connection_options[CONNECTION] = ConnectionOptions(
            declared.hostname, declared.port, declared.username, declared.password, declared.platform, extras
        )


def _ssh_config(nr: Nornir, directory: Path) -> Path | None:
    """Choose the environment's file, else the site's, else the user's own if there is one."""
    named = os.environ.get(SSH_CONFIG) or (nr.inventory.defaults.data or {}).get("ssh_config")
    if named:
        return directory / Path(named).expanduser()
    own = Path(nr.config.ssh.config_file).expanduser()
    return own if own.is_file() else None


@contextmanager
def closing(nr: Nornir) -> Iterator[None]:
    """Close all connections when the block ends."""
    try:
        yield
    finally:
        close(nr)


def close(nr: Nornir, seconds: float = _CLOSE_SECONDS) -> None:
    """Close all connections at once, waiting no longer than `seconds` for all of them."""
    connected = [name for name, host in nr.inventory.hosts.items() if host.connections]
    run_on_hosts(nr, lambda host: host.close_connections(), names=connected, deadline=seconds)
