"""What the next boot will do to a host's firewall, tried there."""

from __future__ import annotations

from collections.abc import Mapping

from model.checkout import HOST_SCRIPTS
from model.ufw.next_boot import FileTrial, NextBoot, NftTrial

SCRIPT = HOST_SCRIPTS / "next-boot.sh"
# What a try takes at most, on top of a look.
SECONDS = 22.0
_TIMED_OUT = "124"
_LOAD, _UNABLE, _INIT = "load ", "unable ", "init "


def text() -> str:
    """Return the script that defines `mf_next_boot`; it prints sections, which others begin and end."""
    return SCRIPT.read_text("utf-8")


def read(sections: Mapping[str, str]) -> NextBoot:
    """Read what `mf_next_boot` printed; raises KeyError and ValueError for what is not there or not understood."""
    how, code = sections["next-boot"].strip(), sections["end of next-boot"].strip()
    return NextBoot(
        how="it took longer than 20 seconds" if code == _TIMED_OUT else how or "it said nothing",
        trials=tuple(
            _trial(name.removeprefix(_LOAD), body) for name, body in sections.items() if name.startswith(_LOAD)
        ),
        unable=tuple(_first(body) for name, body in sections.items() if name.startswith(_UNABLE)),
        started=tuple(sections["at-boot"].split()),
        saved_rules=tuple(sections["saved-rules"].split()),
        flushes=tuple(line for line in sections["flushes"].splitlines() if line.strip()),
        nft=_nft(sections["nftables.conf"]) if "nftables.conf" in sections else None,
        inits={name.removeprefix(_INIT): body for name, body in sections.items() if name.startswith(_INIT)},
        own=_saved(sections, "own"),
        whole=_saved(sections, "whole"),
    )


def _trial(path: str, body: str) -> FileTrial:
    code, _, words = body.partition("\n")
    if code.strip() == "absent":
        return FileTrial(path=path, code=None)
    return FileTrial(path=path, code=int(code), words=words.strip())


def _saved(sections: Mapping[str, str], name: str) -> dict[int, str]:
    """Read what iptables-save said of each family; a text that is cut short is none."""
    texts = {version: sections.get(f"{name} {version}", "") for version in (4, 6)}
    return {version: text for version, text in texts.items() if "COMMIT" in text.splitlines()}


def _nft(body: str) -> NftTrial:
    first, _, words = body.partition("\n")
    code, left = first.split()
    return NftTrial(code=int(code), left=left == "left", words=words.strip())


def _first(body: str) -> str:
    lines = [line.strip() for line in body.splitlines() if line.strip()]
    return lines[0] if lines else "it said nothing"
