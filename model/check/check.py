"""What a check is, how it is run, and how the checks of a package are found."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Generic, ParamSpec, TypeVar

from model.check.finding import Finding, Severity, Verdict
from model.host.host_facts import Unseen

Observed = ParamSpec("Observed")
_UNSEEN = "see why this could not be judged, then run again"
CheckT = TypeVar("CheckT", bound="Check[...]")


class NotYet(Exception):
    """What a check looks at is not there yet, and need not be; the text says what brings it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Generic[Observed]):
    """
    A named check. `judge` is pure: from what was observed to a verdict, or to the findings alone.

    It may raise `Unseen` for what could not be read, and `NotYet`. `remedy` is what a person does about a finding that
    says nothing better, `why` what goes wrong where nobody checks.
    """

    id: str
    judge: Callable[Observed, Verdict | Iterable[Finding]]
    severity: Severity = Severity.ERROR
    remedy: str = ""
    why: str = ""


def run(check: Check[Observed], *observed: Observed.args, **named: Observed.kwargs) -> Verdict:
    """
    Judge what was observed; every finding of the verdict has its check, its severity and its remedy.

    What was found before something could not be seen, or is not due, is in the verdict beside that.
    """
    verdict, findings = Verdict(), list[Finding]()
    try:
        answer = check.judge(*observed, **named)
        if isinstance(answer, Verdict):
            verdict, answer = answer, answer.findings
        for finding in answer:
            findings.append(_completed(check, finding))
    except Unseen as error:
        verdict = Verdict(doubt=f"could not be seen: {error}")
    except NotYet as error:
        verdict = Verdict(pending=str(error))
    return replace(verdict, findings=tuple(findings))


def as_findings(check: Check[...], verdict: Verdict, pending: Severity = Severity.PENDING) -> tuple[Finding, ...]:
    """
    Return all that a verdict says that is not simply good, for a reader who knows nothing but findings.

    A doubt is an error: what nobody could see is not known to be right. `pending` is the severity of what is not due.
    """
    unsettled = ((verdict.doubt, Severity.ERROR), (verdict.pending, pending))
    rest = (Finding(words, check.remedy or _UNSEEN, severity, check=check.id) for words, severity in unsettled if words)
    return (*verdict.findings, *rest)


def _completed(check: Check[...], finding: Finding) -> Finding:
    severity, remedy = finding.severity or check.severity, finding.remedy or check.remedy
    return replace(finding, check=check.id, severity=severity, remedy=remedy)


def discover(package: ModuleType, kind: type[CheckT], first: Sequence[str] = ()) -> tuple[CheckT, ...]:
    """
    Return the `CHECKS` of every module of a package: of the modules named in `first` in this order, then of all others.

    Raises ValueError where two have the same id, or where something else than a check of this kind is among them.
    """
    checks: list[CheckT] = []
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    for name in (*first, *(name for name in names if name not in first)):
        for check in importlib.import_module(f"{package.__name__}.{name}").CHECKS:
            if not isinstance(check, kind):
                raise ValueError(f"{package.__name__}.{name}: {check!r} is no {kind.__name__}")
            checks.append(check)
    twice = {check.id for check in checks if sum(other.id == check.id for other in checks) > 1}
    if twice:
        raise ValueError(f"several checks are called {', '.join(sorted(twice))}")
    return tuple(checks)
