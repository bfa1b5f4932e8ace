"""Judgements of name servers: they answer, lead where the site says, and keep from others what is LI's alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from model.host.shared_facts import Names
from model.site.names import Record, records
from model.site.site import Site

_CODES = {
    1: "cannot read the question",
    2: "failed to find out",
    4: "does not answer such questions",
    5: "refuses to answer",
}


@dataclass(frozen=True, slots=True)
class NameAnswer:
    """To which addresses servers that agree surely lead a name."""

    record: Record
    addresses: frozenset[str]
    servers: tuple[str, ...]

    @property
    def wanted(self) -> frozenset[str]:
        """The addresses of site.yaml."""
        return frozenset(str(address) for address in self.record.addresses)

    @property
    def elsewhere(self) -> str:
        """What is wrong where the name leads to other addresses and may not; empty where all is well."""
        if not self.record.fixed:
            return ""
        others = ", ".join(sorted(self.addresses - self.wanted))
        wanted = ", ".join(sorted(self.wanted))
        return f"{self._name} leads to {others}, not to {wanted}, by {self._servers}" if others else ""

    @property
    def pending(self) -> str:
        """What nobody entered yet, of a name that leads nowhere else; empty where all is there."""
        if not self.record.fixed and self.addresses - self.wanted:
            return ""
        lacking = ", ".join(sorted(self.wanted - self.addresses))
        return (
            f"{self._name} does not lead to {lacking} yet, by {self._servers}" if lacking and not self.elsewhere else ""
        )

    @property
    def _name(self) -> str:
        return f"{self.record.name} ({self.record.why})"

    @property
    def _servers(self) -> str:
        return " and ".join(self.servers)


def answered(wanted: Iterable[Record], names: Names, servers: Sequence[str]) -> Iterator[NameAnswer]:
    """Yield what is surely said of each wanted name, once for all servers that say the same."""
    for record in wanted:
        agreeing: dict[frozenset[str], list[str]] = {}
        for server in servers:
            sure = _sure(names, server).get(record.name)
            if sure is not None:
                agreeing.setdefault(sure, []).append(server)
        for addresses, saying in agreeing.items():
            yield NameAnswer(record, addresses, tuple(saying))


def unanswered(asked: Collection[str], names: Names, servers: Sequence[str]) -> Iterator[str]:
    """Say of each server that it does not answer the host, or not for all these names, or not for sure."""
    for server in servers if asked else ():
        answers = names.answers.get(server, ())
        missing = sorted(set(asked) - {answer.name for answer in answers})
        doubtful = [answer for answer in answers if answer.name in asked and not answer.certain]
        reason = f": {names.why[server]}" if server in names.why else ""
        if reason or not answers:
            yield f"the name server {server} does not answer this host{reason}" if server else names.why[server]
            continue
        if missing:
            yield f"the name server {server} gives no answer for {', '.join(missing)}"
        if doubtful:
            codes = sorted({answer.code for answer in doubtful})
            what = ", ".join(_CODES.get(code, f"answers with code {code}") for code in codes)
            yield f"the name server {server} {what}: {', '.join(sorted({answer.name for answer in doubtful}))}"


def leaked(site: Site, names: Names, servers: Sequence[str]) -> Iterator[str]:
    """Say which names of LI alone resolve for a host outside its network, and where a shared one leads to LI there."""
    secret = {record.name for record in records(site) if record.only}
    inside = {str(address) for address in site.settings.li.ingress}
    for server in servers:
        addresses = _heard(names, server)
        open_names = sorted(name for name, heard in addresses.items() if name in secret and heard)
        shared = sorted(name for name, heard in addresses.items() if name not in secret and heard & inside)
        if open_names:
            yield f"{', '.join(open_names)} can be resolved outside LI, by {server}"
        if shared and secret:
            yield f"{', '.join(shared)} leads to LI outside it, by {server}"


def _heard(names: Names, server: str) -> dict[str, frozenset[str]]:
    """What a server says of each name, of both families together."""
    heard: dict[str, set[str]] = {}
    for answer in names.answers.get(server, ()):
        heard.setdefault(answer.name, set()).update(map(str, answer.addresses))
    return {name: frozenset(addresses) for name, addresses in heard.items()}


def _sure(names: Names, server: str) -> dict[str, frozenset[str]]:
    """What a server surely says of each name: of a name that it is not sure of in one family it says nothing."""
    unsure = {answer.name for answer in names.answers.get(server, ()) if not answer.certain}
    return {name: addresses for name, addresses in _heard(names, server).items() if name not in unsure}
