"""The text of user.rules and user6.rules as ufw writes it, byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from model.ufw.rule import UfwRule

LEVELS: Mapping[str, int] = MappingProxyType({"off": 0, "low": 100, "medium": 200, "high": 300, "full": 400})
_LEVEL, _USUAL = "LOGLEVEL", "low"
DIRECTIONS = ("input", "output", "forward")
_LIMIT = " -m limit --limit 3/min --limit-burst 10"
_DECLARED = (
    *(f"user-{way}" for way in DIRECTIONS),
    *(f"{kind}-logging-{way}" for kind in ("before", "user", "after") for way in DIRECTIONS),
    "logging-deny",
    "logging-allow",
    "user-limit",
    "user-limit-accept",
)


def render(rules: Iterable[UfwRule], version: int, level: str) -> str:
    """
    Return the file that ufw 0.36.2 itself would write for these rules, given as incoming denied, routed denied,
    outgoing allowed.

    `version` is 4 or 6, `level` ufw's logging level. Raises ValueError for a level ufw does not have.
    """
    if level not in LEVELS:
        raise ValueError(f"ufw has no logging level `{level}`")
    prefix = "ufw6" if version == 6 else "ufw"
    lines = ["*filter", *(f":{prefix}-{name} - [0:0]" for name in _DECLARED), "### RULES ###"]
    for rule in rules:
        lines += ["", rule.line(), rule.kernel_line()]
    lines += ["", "### END RULES ###", "", "### LOGGING ###", *_logging(prefix, level), "### END LOGGING ###"]
    lines += ["", "### RATE LIMITING ###"]
    if level != "off":
        lines.append(f'-A {prefix}-user-limit -m limit --limit 3/minute -j LOG --log-prefix "[UFW LIMIT BLOCK] "')
    lines += [f"-A {prefix}-user-limit -j REJECT", f"-A {prefix}-user-limit-accept -j ACCEPT"]
    return "\n".join([*lines, "### END RATE LIMITING ###", "COMMIT", ""])


def _logging(prefix: str, level: str) -> list[str]:
    if level == "off":
        return [f"-I {prefix}-user-logging-{way} -j RETURN" for way in DIRECTIONS]
    rank = LEVELS[level]
    limit = _LIMIT if rank < LEVELS["high"] else ""
    medium = rank >= LEVELS["medium"]
    lines = []
    for way in DIRECTIONS:
        if way == "output" and not medium:
            continue
        word = "ALLOW" if way == "output" else "BLOCK"
        lines.append(f'-A {prefix}-after-logging-{way} -j LOG --log-prefix "[UFW {word}] "{limit}')
    invalid = f"{prefix}-logging-deny -m conntrack --ctstate INVALID -j"
    if medium:
        lines.append(f'-A {invalid} LOG --log-prefix "[UFW AUDIT INVALID] "{limit}')
    else:
        lines.append(f"-I {invalid} RETURN{limit}")
    for name, word in (("deny", "BLOCK"), ("allow", "ALLOW")):
        lines.append(f'-A {prefix}-logging-{name} -j LOG --log-prefix "[UFW {word}] "{limit}')
    if medium:
        audit = _LIMIT if rank < LEVELS["full"] else ""
        new = " -m conntrack --ctstate NEW" if rank < LEVELS["high"] else ""
        lines += [
            f'-I {prefix}-before-logging-{way} -j LOG --log-prefix "[UFW AUDIT] "{new}{audit}' for way in DIRECTIONS
        ]
    return lines


def level_of(conf: str) -> str:
    """Return the logging level that an ufw.conf asks for; ufw's own default where it names none that ufw has."""
    level = (option(conf, _LEVEL) or "").lower()
    return level if level in LEVELS else _USUAL


def wrong_level(conf: str) -> str:
    """Name the line of an ufw.conf whose logging level ufw does not have; empty where there is none."""
    held = option(conf, _LEVEL)
    if held is None or held.lower() in LEVELS:
        return ""
    number = max(number for number, line in enumerate(conf.splitlines(), 1) if line.startswith(f"{_LEVEL}="))
    return f"line {number}: {_LEVEL}={held} is no level of ufw's ({', '.join(LEVELS)})"


def with_level(conf: str) -> str:
    """Return an ufw.conf with a logging level that ufw has."""
    return with_option(conf, _LEVEL, _USUAL) if wrong_level(conf) else conf


def option(text: str, key: str) -> str | None:
    """
    Return a shell variable's value in ufw.conf or /etc/default/ufw, unquoted; the last assignment counts, None without
    one.
    """
    assignments = [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]
    return assignments[-1].strip().strip("\"'") if assignments else None


def with_option(text: str, key: str, value: str) -> str:
    """
    Return the text with the variable set: unchanged where it has that value already, otherwise as ufw would rewrite it.
    """
    held = option(text, key)
    if held is not None and held.lower() == value.strip('"').lower():
        return text
    lines = [f"{key}={value}" if line.startswith(f"{key}=") else line for line in text.splitlines()]
    if held is None:
        lines.append(f"{key}={value}")
    return "".join(f"{line}\n" for line in lines)
