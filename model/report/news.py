"""What somebody has not been told yet: findings that are new, that read otherwise now, that are gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model.report.measures import rough
from model.report.outcome import EXIT_BY_STATUS, Status

_NAMED = 3
_REMINDS = 120
Outcomes = Iterable[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class NewsItem:
    """Something that is not good: status and message as the report has them."""

    status: str
    message: str

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> NewsItem:
        """Read what `to_json` made; raises KeyError, TypeError or ValueError."""
        return cls(str(Status(row["status"])), str(row["message"]))

    def to_json(self) -> dict[str, str]:
        """Return it as it is remembered."""
        return {"status": self.status, "message": self.message}

    def like(self, other: NewsItem) -> bool:
        """Return whether both say the same, save for measures."""
        return (self.status, rough(self.message)) == (other.status, rough(other.message))


Findings = Mapping[str, NewsItem]


@dataclass(frozen=True, slots=True)
class News:
    """
    What there is to tell, by `host subject`: findings that are new, those that say something else now, and those that
    are gone, with what was said of them last. `standing` is everything that is not good now: what will have been told.
    """

    new: Findings
    changed: Findings
    gone: Findings
    standing: Findings

    def __bool__(self) -> bool:
        """True where there is anything to tell."""
        return bool(self.new or self.changed or self.gone)

    def to_json(self) -> dict[str, object]:
        """
        Return what a program is told: lists of host, subject, status and message, and how many findings there are.
        """
        groups = {"new": self.new, "changed": self.changed, "gone": self.gone}
        return {
            word: [_row(key, finding) for key, finding in findings.items()] for word, findings in groups.items()
        } | {"standing": len(self.standing)}


def news(before: Findings, outcomes: Outcomes, *, whole: bool) -> News:
    """
    Compare what was told with a report's outcomes; `whole`: the report is of everything, so that what it does not speak
    of is gone.
    """
    looked: dict[str, NewsItem | None] = {}
    for outcome in outcomes:
        bad = bool(EXIT_BY_STATUS[outcome["status"]])
        looked[f"{outcome['host']} {outcome['subject']}"] = (
            NewsItem(outcome["status"], outcome["message"]) if bad else None
        )
    now = {key: finding for key, finding in looked.items() if finding is not None}
    unseen = {} if whole else {key: finding for key, finding in before.items() if key not in looked}
    return News(
        {key: finding for key, finding in now.items() if key not in before},
        {key: finding for key, finding in now.items() if key in before and not finding.like(before[key])},
        {key: finding for key, finding in before.items() if key not in now and key not in unseen},
        unseen | now,
    )


def subject_line(site: str, changes: News) -> str:
    """Return one line: `site: 2 new, 1 gone, 3 findings`."""
    counts = ((len(changes.new), "new"), (len(changes.changed), "changed"), (len(changes.gone), "gone"))
    parts = ", ".join(f"{count} {word}" for count, word in counts if count)
    return f"{site}: {parts or 'nothing new'}; {len(changes.standing)} not good in all"


def text(site: str, run: str, changes: News) -> str:
    """Return the news as a person reads them."""
    lines = [subject_line(site, changes), ""]
    for word, findings in (("NEW", changes.new), ("CHANGED", changes.changed), ("GONE", changes.gone)):
        lines += [f"{word}  {line}" for line in _lines(findings, _REMINDS if word == "GONE" else None)]
    return "\n".join((*lines, "", f"run {run}"))


def _lines(findings: Findings, longest: int | None) -> Iterator[str]:
    """
    Say once what is said of several subjects of one host, as of a dead one; of what is gone the beginning reminds
    enough.
    """
    alike: dict[tuple[str, NewsItem], list[str]] = {}
    for key, finding in findings.items():
        host, _, subject = key.partition(" ")
        alike.setdefault((host, finding), []).append(subject)
    for (host, finding), subjects in alike.items():
        more = f" and {len(subjects) - _NAMED} more" if len(subjects) > _NAMED else ""
        yield f"{host} {', '.join(subjects[:_NAMED])}{more}: {finding.status}: {_cut(finding.message, longest)}"


def _cut(text: str, longest: int | None) -> str:
    return text if longest is None or len(text) <= longest else f"{text[:longest]}..."


def _row(key: str, finding: NewsItem) -> dict[str, str]:
    host, _, subject = key.partition(" ")
    return {"host": host, "subject": subject, **finding.to_json()}
