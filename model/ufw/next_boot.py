"""What the next boot will do to a host's firewall: files that ufw cannot load, and services that remove its rules."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from model.ufw.state import AFTER, BEFORE, USER

# As `iptables-restore` names the line it stumbled over, in its several ways.
_LINE = re.compile(r"\bline:? (\d+)")
_NOISE = re.compile(r"^(Error occurred at line|Try `)|^\s*$")
_NFT = "/etc/nftables.conf"
# Firewalls that set their own rules in the place of all others when they start.
_FIREWALLS = ("firewalld", "ferm", "shorewall", "shorewall6")
_LOADED = ("loaded", "tested")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTrial:
    """One of ufw's files, tried: `code` of iptables-restore (None: the file is missing or empty), and its words."""

    path: str
    code: int | None
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NftTrial:
    """/etc/nftables.conf loaded behind ufw's own rules: the code of nft, its words, and whether ufw's were left."""

    code: int
    left: bool
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextBoot:
    """
    What was tried. `how`: `loaded`, `tested` (its grammar alone), or why neither could be done; `absent` without ufw.

    `started` are services that systemd starts at boot, `saved_rules` files that netfilter-persistent loads then,
    `flushes` lines of /etc/nftables.conf that remove everybody's rules, `inits` texts by path of the scripts that ufw
    runs when it starts, as they are executable. `own` and `whole`: what iptables-save said, by
    IP version, once ufw's before and after rules, and then all of its files, were loaded; absent where one was not.
    """

    how: str
    trials: tuple[FileTrial, ...] = ()
    unable: tuple[str, ...] = ()
    started: tuple[str, ...] = ()
    saved_rules: tuple[str, ...] = ()
    flushes: tuple[str, ...] = ()
    nft: NftTrial | None = None
    inits: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[int, str] = field(default_factory=dict)
    whole: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BootFlaw:
    """What is wrong with the next boot: `place` is a file's name or a service's, `remedy` what a person does."""

    place: str
    message: str
    remedy: str


def unloadable(boot: NextBoot, files: Mapping[str, str], without: Collection[str] = ()) -> Iterator[BootFlaw]:
    """
    Yield the files that ufw cannot load, with line and the program's words; `files`: their texts by path. Those of
    `without` are about to be written anew.
    """
    for trial in boot.trials:
        if trial.path in without or trial.code == 0:
            continue
        name = trial.path.rpartition("/")[2]
        remedy = _REWRITTEN if trial.path in USER.values() else f"correct {trial.path} there, then `ufw reload`"
        if trial.code is None:
            yield BootFlaw(name, f"{trial.path} is missing or empty: ufw fails at the next boot", remedy)
            continue
        lines = [line for line in trial.words.splitlines() if not _NOISE.search(line)]
        words = "; ".join(lines) or f"it ended with {trial.code}"
        place = f"{trial.path}{_line(trial, files)}"
        yield BootFlaw(name, f"{place} cannot be loaded, and ufw fails at the next boot: {words}", remedy)


_REWRITTEN = "python -m flows.firewall writes this file"


def _line(trial: FileTrial, files: Mapping[str, str]) -> str:
    found = _LINE.search(trial.words)
    if not found:
        return ""
    number = int(found[1])
    lines = files.get(trial.path, "").splitlines()
    shown = f" `{lines[number - 1].strip()}`" if 0 < number <= len(lines) else ""
    return f" line {number}{shown}"


# What ufw's own before.init and after.init hold beside comments: they do nothing.
_STOCK = re.compile(
    r"set -e|case \"\$1\" in|(start|stop|status|flush-all|\*)\)|;;|esac|exit \d+|echo [^;&|<>`$()]*|"
    r"echo \"'\$1' not supported\"|echo \"Usage: (before|after)\.init \{[a-z|-]+\}\""
)


def wiping(boot: NextBoot) -> Iterator[BootFlaw]:
    """
    Yield the services that start at boot and then remove ufw's rules, or set their own in their place, and scripts that
    ufw itself runs then.
    """
    for path, text in boot.inits.items():
        if acting := [line for line in map(str.strip, text.splitlines()) if _acts(line)]:
            yield BootFlaw(
                path.rpartition("/")[2],
                f"{path} is executable: whenever ufw starts it runs what may change the rules (`{acting[0]}`)",
                f"take that out of {path}, or `chmod -x {path}`",
            )
    started = set(boot.started)
    if "nftables" in started and (boot.flushes or (boot.nft and not boot.nft.left)):
        line = f" (`{boot.flushes[0].strip()}`)" if boot.flushes else ""
        yield BootFlaw(
            "nftables",
            f"nftables.service starts at boot, and {_NFT} removes ufw's rules{line}",
            "systemctl disable nftables.service (without --now: to stop it removes all rules at once), or take that "
            f"out of {_NFT}",
        )
    if "netfilter-persistent" in started and boot.saved_rules:
        places = ", ".join(boot.saved_rules)
        yield BootFlaw(
            "netfilter-persistent",
            f"netfilter-persistent.service starts at boot, and {places} takes the place of ufw's rules",
            "systemctl disable netfilter-persistent.service, or remove iptables-persistent",
        )
    for name in _FIREWALLS:
        if name in started:
            yield BootFlaw(
                name,
                f"{name}.service starts at boot, and sets its rules in the place of ufw's",
                f"systemctl disable --now {name}.service, then python -m flows.firewall",
            )


def _acts(line: str) -> bool:
    return bool(line) and not line.startswith("#") and not _STOCK.fullmatch(line)


def untried(boot: NextBoot) -> Iterator[str]:
    """Say what could not be tried, so that nobody knows whether the next boot brings the rules back."""
    if boot.how == "absent":
        return
    if boot.how not in _LOADED:
        yield f"ufw's files could not be tried: {boot.how}"
    yield from (f"ufw's files could not be tried: {words}" for words in boot.unable)
    tried = {trial.path for trial in boot.trials}
    if boot.how in _LOADED and not boot.unable and not {BEFORE[4], AFTER[4], USER[4]} <= tried:
        yield "ufw's files could not be tried: the try did not come to its end"
    nft = boot.nft
    if "nftables" in boot.started and nft is not None and nft.code and nft.left and not boot.flushes:
        words: Sequence[str] = nft.words.splitlines() or (f"it ended with {nft.code}",)
        yield f"what {_NFT} does to ufw's rules could not be tried: {words[0]}"
