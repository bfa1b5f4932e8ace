"""What the router serves, as files for its disk: names in two views, time, and packages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lab.outside.names import PARTNER, outside_names
from lab.perimeter import ruleset
from lab.recipe import REPOSITORY
from lab.topology import INTERNET, LI, MAIN, MANAGEMENT, ROUTER_NUMBER
from model.base import Address
from model.site.site import Site

_NAMES = {"ingress": ("", "matrix", "chat"), "turn": ("turn",), "livekit": ("livekit",)}
_LI_NAMES = ("matrix", "chat-li", "admin-li", "keyvault")

_FORWARDING = "net.ipv4.ip_forward = 1\nnet.ipv6.conf.all.forwarding = 1\n"

_UNIT = """\
[Unit]
Description={description}
After=network.target

[Service]
ExecStart={command}
Restart=on-failure

[Install]
WantedBy=multi-user.target
"""

_UNITS = {
    "names-main": (
        "Names for the main network",
        "/usr/sbin/dnsmasq --keep-in-foreground --conf-file=/etc/names/main.conf",
    ),
    "names-public": (
        "Names for the internet",
        "/usr/sbin/dnsmasq --keep-in-foreground --conf-file=/etc/names/public.conf",
    ),
    "names-li": ("Names for the LI network", "/usr/sbin/dnsmasq --keep-in-foreground --conf-file=/etc/names/li.conf"),
    # -x: never touches the machine's clock, whose time it serves.
    "time": ("Time for every network", "/usr/sbin/chronyd -d -x -F 0 -f /etc/time.conf"),
    "packages": (
        "Debian packages for every network",
        f"/usr/bin/python3 -m http.server 80 --bind {MAIN.at(ROUTER_NUMBER)[0]} --directory /{REPOSITORY}",
    ),
}

_TIME = """\
local stratum 3
allow 10.20.0.0/16
allow fd20::/16
pidfile /run/chronyd-lab.pid
bindcmdaddress /
cmdport 0
"""


def files(site: Site) -> Mapping[str, str]:
    """Return the router's own files, path to text."""
    units = {
        f"etc/systemd/system/{name}.service": _UNIT.format(description=description, command=command)
        for name, (description, command) in _UNITS.items()
    }
    return {
        **units,
        "etc/nftables.conf": ruleset(site),
        "etc/sysctl.d/90-router.conf": _FORWARDING,
        "etc/names/main.conf": _view(site, (*MANAGEMENT.at(ROUTER_NUMBER), *MAIN.at(ROUTER_NUMBER)), _main_names(site)),
        "etc/names/public.conf": _view(site, INTERNET.at(ROUTER_NUMBER), _public_names(site)),
        "etc/names/li.conf": _view(site, LI.at(ROUTER_NUMBER), _li_names(site)),
        "etc/time.conf": _TIME,
    }


def links() -> Mapping[str, str]:
    """Return the links that make the router's units start at boot and Debian's own time service not, path to target."""
    wants = "etc/systemd/system/multi-user.target.wants"
    own = {f"{wants}/{name}.service": f"/etc/systemd/system/{name}.service" for name in _UNITS}
    return {
        **own,
        "etc/systemd/system/sysinit.target.wants/nftables.service": "/lib/systemd/system/nftables.service",
        "etc/systemd/system/chrony.service": "/dev/null",
    }


def _view(site: Site, listen: Sequence[Address], names: Iterable[tuple[str, Sequence[Address]]]) -> str:
    lines = ["no-resolv", "no-hosts", "no-daemon", "bind-interfaces", "user=root"]
    lines += [f"local=/{domain}/" for domain in (site.settings.domain, PARTNER)]
    lines += [f"listen-address={address}" for address in listen]
    lines += [
        f"host-record={name},{','.join(str(address) for address in addresses)}"
        for name, addresses in names
        if addresses
    ]
    return "\n".join(lines) + "\n"


def _public_names(site: Site) -> Iterable[tuple[str, Sequence[Address]]]:
    domain = site.settings.domain
    for external, names in _NAMES.items():
        if external in site.settings.external:
            for name in names:
                yield f"{name}.{domain}".lstrip("."), site.settings.external[external].addresses
    yield from outside_names(site)


def _main_names(site: Site) -> Iterable[tuple[str, Sequence[Address]]]:
    domain = site.settings.domain
    yield from _public_names(site)
    yield _endpoint(site)
    for machine in site.servers:
        if not site.isolated(machine):
            yield f"{machine.name}.{domain}", machine.own


def _li_names(site: Site) -> Iterable[tuple[str, Sequence[Address]]]:
    hosts = [machine for machine in site.servers if site.isolated(machine)]
    for name in _LI_NAMES if hosts else ():
        yield f"{name}.{site.settings.domain}", hosts[0].own
    yield _endpoint(site)


def _endpoint(site: Site) -> tuple[str, Sequence[Address]]:
    endpoint = site.settings.kubernetes.endpoint
    return endpoint.name, endpoint.addresses
