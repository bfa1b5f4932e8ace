"""How many things a run adds, changes and removes, counted from the diffs that its outcomes carry."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from model.report.evidence import diff_lines
from model.report.outcome import Outcome, Status

# What a dry run would do says so in its next step; other drift is a finding that the flow leaves to a person.
_CARRIED_OUT_BY = ("--dry-run", "--yes")
# How ufw's diff names the two states of a list, each line of which is a thing of its own: a rule, a policy, a setting.
_LIST = (" (is)", " (should be)")
_NOTHING = "/dev/null"
# A rule stands in ufw's file and in the kernel, and is one thing.
_FILE_OF_KERNEL = {":kernel IPv4 (is)": "/etc/ufw/user.rules (is)", ":kernel IPv6 (is)": "/etc/ufw/user6.rules (is)"}
_FILES_CHAIN = re.compile(r"[+-]-A ufw6?-user-")
_ACTIONS = ("allow", "deny", "reject", "limit")


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """Numbers of things to add, change and remove, and of the hosts that they are on."""

    add: int = 0
    change: int = 0
    remove: int = 0
    hosts: int = 0

    def to_json(self) -> dict[str, int]:
        """Return the report's key `plan`."""
        return asdict(self)


def plan_counts(outcomes: Iterable[Outcome], *, dry_run: bool) -> PlanCounts:
    """
    Count what a dry run would do (drift that it would carry out), or what a run did (outcomes that are `changed`).

    A thing is what a person would name:

    - a file, or an object of the cluster, however many of its lines differ: added where there was none, else changed;
    - in a list of ufw's a rule, a policy or a setting: a `-` and a `+` of the same one are one change, and the kernel's
      side of a rule counts only where ufw's file is as declared;
    - elsewhere a line that begins with `+`, `-` or `~`: a `-` and a `+` of the same key are one change, too;
    - an outcome without a diff is one change.

    `controller` is no host.
    """
    sums: Counter[str] = Counter()
    hosts: set[str] = set()
    for outcome in outcomes:
        counts = _counted(outcome, dry_run)
        sums += counts
        if counts and outcome.host != "controller":
            hosts.add(outcome.host)
    return PlanCounts(sums["add"], sums["change"], sums["remove"], len(hosts))


def _counted(outcome: Outcome, dry_run: bool) -> Counter[str]:
    if outcome.status is not (Status.DRIFT if dry_run else Status.CHANGED):
        return Counter()
    lines = diff_lines(outcome.evidence)
    if dry_run and not any(flag in outcome.next for flag in _CARRIED_OUT_BY):
        return Counter()
    counts: Counter[str] = Counter()
    for section in _without_repeats(list(_sections(lines))):
        counts += _of_section(section)
    return counts or Counter(change=1)


def _sections(lines: Sequence[str]) -> Iterator[list[str]]:
    """Split a diff at its headers, the `---` and `+++` lines that follow each other; lines before one are a section."""
    section: list[str] = []
    for number, line in enumerate(lines):
        if line.startswith("--- ") and "".join(lines[number + 1 : number + 2]).startswith("+++ "):
            yield section
            section = []
        section.append(line)
    yield section


def _without_repeats(sections: list[list[str]]) -> Iterator[list[str]]:
    """Leave out of a kernel's section what the section of ufw's file says already."""
    heads = [section[0] for section in sections if section]
    for section in sections:
        file = next((file for kernel, file in _FILE_OF_KERNEL.items() if section and section[0].endswith(kernel)), None)
        if file and any(head.endswith(file) for head in heads):
            yield [line for line in section if not _FILES_CHAIN.match(line)]
        else:
            yield section


def _of_section(section: list[str]) -> Counter[str]:
    if not section or not section[0].startswith("--- ") or len(section) < 2:
        return _of_lines(section)
    was, then = (line[4:].strip() for line in section[:2])
    if was.endswith(_LIST) and then.endswith(_LIST):
        return _of_lines(section[2:], _rule)
    # Lines of no file follow the last file's: they have a blank after their sign, and no hunk is open for them.
    body, rest = _hunks(section[2:])
    whole = "add" if was == _NOTHING else "remove" if then == _NOTHING else "change"
    return Counter({whole: 1} if body else {}) + _of_lines(rest)


def _hunks(lines: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the lines of a file's hunks and those after them, by the lengths that the hunks' heads name."""
    place = 0
    while place < len(lines) and lines[place].startswith("@@"):
        old, new = (_length(part) for part in lines[place].split()[1:3])
        place += 1
        while place < len(lines) and (old > 0 or new > 0):
            old -= lines[place][:1] != "+"
            new -= lines[place][:1] != "-"
            place += 1
    return (lines[:place], lines[place:]) if place else (lines, ())


def _length(part: str) -> int:
    """Return how many lines `-3,2` or `+7` stands for."""
    _, comma, length = part.partition(",")
    return int(length) if comma else 1


def _of_lines(lines: Iterable[str], key: Callable[[str], str] | None = None) -> Counter[str]:
    signs: dict[str, Counter[str]] = {"+": Counter(), "-": Counter(), "~": Counter()}
    for line in lines:
        if line[:1] in signs:
            signs[line[0]][(key or _name)(line[1:])] += 1
    added, removed = signs["+"], signs["-"]
    pairs = added & removed
    return +Counter(
        add=(added - pairs).total(),
        change=pairs.total() + signs["~"].total(),
        remove=(removed - pairs).total(),
    )


def _name(text: str) -> str:
    """Return the name of `name=value`, else all of it."""
    return text.partition("=")[0].strip()


def _rule(text: str) -> str:
    """
    Return what stays of a line of ufw's lists when its value changes.

    Of a kernel's rule all but its target, of ufw's all but its action and comment, of `name=value` the name, else all
    words but the last (`policy INPUT DROP`), without a `not`.
    """
    words = text.split()
    if words[:1] == ["-A"]:
        return text.partition(" -j ")[0]
    if words[:1] and words[0].lower() in _ACTIONS:
        return " ".join(words[1:]).partition(" # ")[0]
    if "=" in text or len(words) < 2:
        return _name(text)
    return " ".join(word for word in words[:-1] if word != "not")
