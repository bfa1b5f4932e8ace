"""What can go wrong, split by what the reader does next.

FleetError
├── SiteError             fix the site's files           exit 1
│   ├── SchemaErrors      every wrong field of every file at once
│   ├── SelectionError    --limit, --source ... name nobody, or somebody unknown
│   ├── BundleError       an offline bundle is not whole, or not the one the site wants
│   └── SecretsUnreadable the site's secrets are damaged, or cannot be opened
│       └── NotARecipient whoever runs this is not among those they are encrypted for
├── PlanRefused           the plan is unsafe, nothing was touched   exit 1
├── LockHeld              another run holds the site or a host      exit 1
├── SourceUnreachable     a publisher's server gives no answer      exit 3
├── NotToldError          a notifier failed: an outcome of its own  exit 3
├── OutOfSight            whoever runs this may not look there   that subject's outcome, not_run
└── HostError             look at a host                 that host's outcome, exit 3
    ├── Unreachable       no connection within the time limit
    ├── HostKeyUnknown    run `python -m flows.trust`
    ├── HostKeyChanged    the host, or somebody in between, presents another key
    ├── CommandFailed     a command ended with another exit code than 0
    │   └── RootRefused   sudo is missing, or refuses this user
    ├── CommandTimeout    a command did not end in time
    ├── ProtocolError     an answer that cannot be understood
    └── KubernetesError   the cluster's API refused or failed, asked through this host
        ├── ApiUnreachable    no control plane gives access to the API
        ├── ObjectMissing     the object is not there
        └── WaitExpired       an object did not come to the awaited state in time
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


class FleetError(Exception):
    """A failure this project foresees; its text says what, where and what next."""

    def __init__(self, message: str = "", next_step: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step

    def __reduce__(self) -> tuple[object, ...]:
        """Travel between processes as it is, whatever it was made of."""
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[FleetError], words: tuple[object, ...], fields: dict[str, object]) -> FleetError:
    error = kind.__new__(kind, *words)
    error.__dict__.update(fields)
    return error


class SiteError(FleetError):
    """The site's files or the arguments are wrong; nothing was connected to."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """
    One wrong value: `file` relative to the inventory, `path` dotted, `fix` what to write instead, `line` 0 where it has
    none of its own.
    """

    file: str
    path: str
    value: str
    message: str
    fix: str = ""
    line: int = 0

    def __str__(self) -> str:
        shown = f" (found {self.value})" if self.value else ""
        fix = f"; {self.fix}" if self.fix else ""
        line = f" (line {self.line})" if self.line else ""
        return f"{self.file}: {self.path}: {self.message}{shown}{fix}{line}"


class SchemaErrors(SiteError):
    """All wrong fields of all files of one site."""

    def __init__(self, errors: Sequence[FieldError], next_step: str = "") -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in self.errors), next_step)


class SelectionError(SiteError):
    """A selection names nobody, or a name that the site does not have."""


class BundleError(SiteError):
    """An offline bundle is not whole, or lacks what is asked of it; nothing was connected to."""


class SecretsUnreadable(SiteError):
    """The site's secrets cannot be opened by who asks, or are damaged; nothing of them was changed."""


class NotARecipient(SecretsUnreadable):
    """Whoever runs this is not among those the secrets are encrypted for."""


class PlanRefused(FleetError):
    """Carrying out the plan would do harm; nothing was touched."""


class LockHeld(FleetError):
    """Another run works on the same site or host."""


class SourceUnreachable(FleetError):
    """A publisher's server gives no answer, or breaks off again and again."""


class NotToldError(FleetError):
    """Somebody could not be told; what was found is in the report all the same."""


class OutOfSight(FleetError):
    """Whoever runs this may not look there: that says nothing of what is there, good or bad."""


class HostError(FleetError):
    """Something is wrong with one host; the others go on."""

    def __init__(self, host: str, message: str, next_step: str = "") -> None:
        super().__init__(f"{host}: {message}", next_step)
        self.host = host
        self.message = message


class Unreachable(HostError):
    """No working SSH connection within the time limit."""


class HostKeyUnknown(HostError):
    """The host's key was never recorded."""


class HostKeyChanged(HostError):
    """The host presents another key than the recorded one."""


def shown(argv: Sequence[str]) -> str:
    """Return a command as a message names it: a program that is one of its words is left out."""
    return " ".join("..." if "\n" in word and len(argv) > 1 else word for word in argv)


class CommandFailed(HostError):
    """A command on a host ended with an exit code other than 0."""

    def __init__(self, host: str, argv: Sequence[str], exit_code: int, detail: str, next_step: str = "") -> None:
        super().__init__(host, f"`{shown(argv)}` ended with exit code {exit_code}: {detail}", next_step)
        self.argv = tuple(argv)
        self.exit_code = exit_code


class RootRefused(CommandFailed):
    """Nobody here may become root: sudo is missing, or refuses this user or password."""


class CommandTimeout(HostError):
    """A command on a host did not end in time."""

    def __init__(self, host: str, argv: Sequence[str], seconds: float) -> None:
        super().__init__(host, f"`{shown(argv)}` did not end within {seconds:g} s", "look at the host's load")
        self.argv = tuple(argv)


class ProtocolError(HostError):
    """A host answered something that cannot be understood."""


@dataclass(frozen=True, slots=True)
class ApiCause:
    """What the Kubernetes API finds wrong with one field."""

    reason: str
    field: str
    message: str


class KubernetesError(HostError):
    """
    The Kubernetes API did not do what it was asked for; `host` is the control plane that was asked.

    `status` is HTTP's number (0 where there was no answer), `reason` Kubernetes' own word for it, `causes` name fields.
    """

    def __init__(
        self,
        host: str,
        asked: str,
        detail: str,
        next_step: str = "",
        *,
        status: int = 0,
        reason: str = "",
        causes: Sequence[ApiCause] = (),
    ) -> None:
        super().__init__(host, f"Kubernetes: {asked}: {detail}", next_step)
        self.asked = asked
        self.detail = detail
        self.status = status
        self.reason = reason
        self.causes = tuple(causes)


class ApiUnreachable(KubernetesError):
    """No control plane gives access to the Kubernetes API."""


class ObjectMissing(KubernetesError):
    """The object, or its namespace or kind, does not exist in the cluster."""


class WaitExpired(KubernetesError):
    """An object in the cluster did not come to the awaited state in time."""


class Interrupted(KeyboardInterrupt):
    """Somebody ended a run in the middle of what goes on by itself; `hosts`: what becomes of each of them."""

    def __init__(self, hosts: Mapping[str, str], next_step: str) -> None:
        super().__init__("interrupted")
        self.hosts = dict(hosts)
        self.next_step = next_step


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean db-1?` where a known word is near, and nothing otherwise."""
    near = get_close_matches(word.lower(), dict.fromkeys(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
