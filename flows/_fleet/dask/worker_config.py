"""The settings of Dask's workers, free of Dask: who only names a runner does not pay for importing it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkerConfig:
    """
    Processes of this machine, or those of a scheduler.

    Without `scheduler`, `workers` processes are started on this machine and end with the run. Else those of the
    scheduler at that address (`tls://HOST:PORT`) are used, which must know this program; `authority`, `certificate` and
    `key` are PEM files.
    """

    workers: int = 2
    scheduler: str = ""
    authority: str = ""
    certificate: str = ""
    key: str = ""
