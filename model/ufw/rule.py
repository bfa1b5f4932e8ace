"""One rule of ufw, as its rules files keep it and as a person says it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import ip_network

MARK = "matrix-fleet"
ANYWHERE = {4: "0.0.0.0/0", 6: "::/0"}
_TUPLE = "### tuple ###"
_ACTIONS = frozenset({"allow", "deny", "reject", "limit"})
_VERDICTS = {"allow": "ACCEPT", "deny": "DROP", "reject": "REJECT"}
_SECTIONS = frozenset(
    f"### {end}{name} ###" for name in ("RULES", "LOGGING", "RATE LIMITING") for end in ("", "END ")
) | {"*filter", "COMMIT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class UfwRule:
    """
    One `### tuple ###` of user.rules or user6.rules, in its own words: `any` for no port, networks always written.

    `action` may carry a logging suffix (`allow_log`), `route` marks forwarding, `where` is `in`, `out`, `in_eth0` ...,
    `applications` the two fields of an application profile; `comment` is plain text.
    """

    action: str
    protocol: str
    destination_port: str
    destination: str
    source_port: str
    source: str
    where: str = "in"
    route: bool = False
    applications: tuple[str, str] | None = None
    comment: str = ""

    @property
    def version(self) -> int:
        """The IP version it belongs to."""
        return 6 if ":" in self.source else 4

    @property
    def ours(self) -> bool:
        """True for a rule that this project wrote."""
        return self.comment.split(" ", 1)[0] == MARK

    @property
    def uncommented(self) -> UfwRule:
        """The rule without its comment: what ufw takes two rules to be the same by."""
        return replace(self, comment="")

    def line(self) -> str:
        """Return the tuple line as ufw writes it."""
        action = f"route:{self.action}" if self.route else self.action
        fields = [action, self.protocol, self.destination_port, self.destination, self.source_port, self.source]
        fields += [*(self.applications or ()), self.where]
        comment = f" comment={self.comment.encode().hex()}" if self.comment else ""
        return f"{_TUPLE} {' '.join(fields)}{comment}"

    def words(self) -> str:
        """Return the rule as a person would say it."""
        parts = [self.action, "routed" if self.route else "", self.protocol if self.protocol != "any" else ""]
        parts.append(self.destination_port.replace(":", "-") if self.destination_port != "any" else "")
        parts.append(f"from {_place(self.source)}")
        parts.append(f"port {self.source_port}" if self.source_port != "any" else "")
        parts.append(f"to {_place(self.destination)}" if self.destination not in ANYWHERE.values() else "")
        parts.append(f"({self.where})" if self.where != "in" else "")
        parts.append(f"[{' '.join(self.applications)}]" if self.applications else "")
        parts.append(f"# {self.comment}" if self.comment else "")
        return " ".join(part for part in parts if part)

    def chain(self) -> str:
        """Return the chain ufw puts it into."""
        prefix = "ufw6" if self.version == 6 else "ufw"
        kind = "forward" if self.route else ("output" if self.where.startswith("out") else "input")
        return f"{prefix}-user-{kind}"

    def kernel_line(self) -> str:
        """
        Return the `-A` line ufw writes for it.

        Raises ValueError for kinds of rules that this project makes none of: logging, limits, interfaces, applications,
        source ports.
        """
        if self.action not in _VERDICTS or self.applications or self.where != "in" or self.source_port != "any":
            raise ValueError(f"no rule of this project's kind: {self.words()}")
        parts = [f"-A {self.chain()}"]
        if self.protocol != "any":
            parts.append(f"-p {self.protocol}")
        ranged = ":" in self.destination_port or "," in self.destination_port
        if ranged:
            parts.append(f"-m multiport --dports {self.destination_port}")
        if self.destination not in ANYWHERE.values():
            parts.append(f"-d {self.destination}")
        if self.destination_port != "any" and not ranged:
            parts.append(f"--dport {self.destination_port}")
        if self.source not in ANYWHERE.values():
            parts.append(f"-s {self.source}")
        return " ".join([*parts, f"-j {_VERDICTS[self.action]}"])


def parse(text: str) -> tuple[UfwRule, ...]:
    """
    Read the rules of user.rules or user6.rules, in order; a person's comments are passed over, as ufw passes over them.

    Raises ValueError naming the first line that is none of that format's, with its number.
    """
    rules = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            if _is_tuple(line):
                rules.append(_rule(line))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    return tuple(rules)


def _is_tuple(line: str) -> bool:
    if line.startswith(_TUPLE):
        return True
    known = line in _SECTIONS or line[:1] in (":", "#") or line[:3] in ("-A ", "-I ")
    if line.strip() and not known:
        raise ValueError(f"no line of ufw's rules files: {line}")
    return False


# Hosts of a role have most rules in common.
@lru_cache(maxsize=1 << 16)
def _rule(line: str) -> UfwRule:
    body, _, comment = line.removeprefix(_TUPLE).strip().partition(" comment=")
    words = body.split()
    if len(words) in (6, 8):
        # ufw's older form has no direction.
        words.append("in")
    if len(words) not in (7, 9) or words[0].removeprefix("route:").split("_")[0] not in _ACTIONS:
        raise ValueError(f"no tuple of ufw's: {line}")
    action, protocol, dport, dst, sport, src = words[:6]
    applications = (words[6], words[7]) if len(words) == 9 else None
    try:
        text = bytes.fromhex(comment).decode()
        ip_network(src)
    except ValueError as error:
        raise ValueError(f"no tuple of ufw's: {line}: {error}") from None
    route = action.startswith("route:")
    plain = action.removeprefix("route:")
    return UfwRule(
        action=plain,
        protocol=protocol,
        destination_port=dport,
        destination=dst,
        source_port=sport,
        source=src,
        where=words[-1],
        route=route,
        applications=applications,
        comment=text,
    )


def _place(network: str) -> str:
    return "anywhere" if network in ANYWHERE.values() else network
