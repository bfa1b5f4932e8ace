"""The texts of the generated documents."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import TypeAdapter

from flows._render.words import table
from flows._site import request
from flows._site.documents import benchmarks, checklist, walk
from model.check import lint, preflight
from model.errors import SiteError
from model.kubernetes import compatibility
from model.site import sizing
from model.site.answers import Answers
from model.site.hosts import Purpose
from model.site.load import adapters
from model.site.rows import Row
from model.site.site import Site

_BLOCK = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def documents(site: Site, docs: Path) -> Mapping[Path, str]:
    """
    Return the text that each generated file should have: whole files, and pages of prose with generated blocks.

    A block begins with `<!-- generated: NAME -->` and ends with `<!-- end -->`. Raises `SiteError` for an unknown name.
    """
    whole = {
        docs / "firewall-request.md": request.as_markdown(site),
        docs / "firewall-request.csv": request.as_csv(site),
        **{docs / "schema" / f"{name}.json": schema(name) for name in (*adapters(), "answers.yaml")},
        **benchmarks.written(docs.parent),
    }
    pages = {path: path.read_text("utf-8") for path in sorted(docs.glob("*.md"))}
    return whole | {path: _filled(site, path, text) for path, text in pages.items() if "<!-- generated:" in text}


def schema(name: str) -> str:
    """Return the JSON Schema of one of the site's files, or of `answers.yaml`, by its name."""
    adapter = TypeAdapter(Answers) if name == "answers.yaml" else adapters()[name]
    document = adapter.json_schema(by_alias=True)
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, **document}
    return json.dumps(document, indent=1, default=str) + "\n"


def _filled(site: Site, path: Path, text: str) -> str:
    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in _BLOCKS:
            raise SiteError(f"{path.name}: no generated block `{name}`; there are {', '.join(_BLOCKS)}")
        return f"{match[1]}{_BLOCKS[name](site)}\n{match[3]}"

    return _BLOCK.sub(fill, text)


def _port_matrix(site: Site) -> str:
    parts = []
    for plane in ("host", "external", "pod"):
        rows = [row for row in site.rows if row.plane == plane]
        header = ("row", "from", "to", "ports", "when", "section", f"at {site.name}", "why")
        lines = [
            (row.name, *_ends(row), _ports(row), _when(row), row.source, _state(site, row), row.why) for row in rows
        ]
        parts.append(f"### {plane.capitalize()} plane: {len(rows)} rows\n\n{table(header, lines)}\n")
    return "\n".join(parts).rstrip()


def _ends(row: Row) -> tuple[str, str]:
    source, destination = (", ".join(ends) for ends in (row.source_ends, row.destination_ends))
    if row.target:
        destination = f"{destination} (through `{row.target}`)"
    return (
        f"{source}: {', '.join(row.pod_from)}" if row.pod_from else source,
        f"{destination}: {', '.join(row.pod_to)}" if row.pod_to else destination,
    )


def _ports(row: Row) -> str:
    return f"{', '.join(str(port) for port in row.ports)}/{row.protocol}" if row.ports else "vrrp (IP protocol 112)"


def _when(row: Row) -> str:
    conditions = [" or ".join(words) for words in (row.when.feature, row.when.cni) if words]
    conditions += ["installation"] if row.when.stage == "install" else []
    return " and ".join(conditions) or "always"


def _state(site: Site, row: Row) -> str:
    if row.builtin:
        return "open by ufw itself"
    return "open" if row in site.active_rows else "closed"


def _lint_rules(_site: Site) -> str:
    lines = [(f"`{rule.id}`", rule.severity, rule.why, _first_line(rule.judge)) for rule in lint.RULES]
    return table(("rule", "severity", "why it matters", "what it finds"), lines)


def _first_line(check: Callable[..., object]) -> str:
    return " ".join((check.__doc__ or "").split())


def _preflight_checks(_site: Site) -> str:
    # Whether anybody may become root is found out before a check can look.
    sudo = (
        "`preflight/sudo`",
        "error",
        "Find hosts where the deployer cannot become root.",
        "allow it in sudoers, or give the password",
    )
    lines = [
        (f"`preflight/{check.id}`", check.severity, _first_line(check.judge), check.remedy)
        for check in preflight.CHECKS
    ]
    return table(("finding", "severity", "what is looked for", "what to do"), [*lines, sudo])


def _compatibility(_site: Site) -> str:
    debian = [
        (f"Debian {release.number} ({release.suite})", release.until, f"brings containerd {release.containerd}")
        for release in compatibility.DEBIAN.values()
    ]
    kubernetes = [(f"Kubernetes {minor}", until, "") for minor, until in compatibility.KUBERNETES.items()]
    containerd = [(f"containerd {minor}", until, "") for minor, until in compatibility.CONTAINERD.items()]
    kernels = [(".".join(map(str, need.version)), need.who, need.fix) for need in compatibility.KERNEL_NEEDS]
    patched = table(("what", "patched until", ""), [*debian, *kubernetes, *containerd])
    return f"{patched}\n\n{table(('Linux at least', 'for', 'or else'), kernels)}"


def _sizes(site: Site) -> str:
    title = f"Recommended for `size: small`, up to {sizing.SMALL_USERS} concurrent users"
    parts = [f"### {title}\n\n{_size_table(site, sizing.SMALL)}\n"]
    for users in sizing.STEPS:
        sizes = sizing.at(users)
        parts.append(f"### {users:,} concurrent users\n\n{_size_table(site, sizes)}\n\n{_total(sizes)}\n")
    return "\n".join([*parts, f"### The floor of `size: small`\n\n{_size_table(site, sizing.SMALL_FLOOR)}"])


def _size_table(site: Site, sizes: Mapping[Purpose, sizing.Size]) -> str:
    roles = {traits.purpose: name for name, traits in site.roles.items()}
    lines = [
        (roles[purpose], size.servers, size.cpus, size.ram_gib, _disk(size))
        for purpose, size in sizes.items()
        if purpose in roles
    ]
    return table(("role", "servers", "CPU each", "RAM each, GiB", "data disk each, GiB"), lines)


def _disk(size: sizing.Size) -> str:
    return f"{size.drives} x {size.disk_gib}" if size.drives > 1 else str(size.disk_gib)


def _total(sizes: Mapping[Purpose, sizing.Size]) -> str:
    needed = sizes.values()
    servers = sum(size.servers for size in needed)
    cpus, ram = (sum(size.servers * getattr(size, word) for size in needed) for word in ("cpus", "ram_gib"))
    disk = sum(size.servers * size.total_disk_gib for size in needed)
    return f"Together {servers} servers, {cpus} CPU, {ram:,} GiB RAM, {disk:,} GiB of data disk."


def _assumptions(_site: Site) -> str:
    lines = [(name, f"{item.value:,}", item.unit, item.why) for name, item in sizing.ASSUMPTIONS.items()]
    return table(("assumption", "value", "unit", "why"), lines)


_BLOCKS: Mapping[str, Callable[[Site], str]] = {
    "port-matrix": _port_matrix,
    "lint-rules": _lint_rules,
    "sizes": _sizes,
    "preflight-checks": _preflight_checks,
    "compatibility": _compatibility,
    "assumptions": _assumptions,
    "checklist": checklist.items,
    "checklist-counts": checklist.counts,
    "checks": checklist.checks,
    "walk": walk.picture,
    "walk-words": walk.words,
}
