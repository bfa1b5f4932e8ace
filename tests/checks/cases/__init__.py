"""Every change that a check of a host must find, by subject."""

from __future__ import annotations

from tests.checks.cases import access, certificates, firewall, hardware, kernel, names, packages, services, system

CASES = (
    *access.CASES,
    *certificates.CASES,
    *firewall.CASES,
    *hardware.CASES,
    *kernel.CASES,
    *names.CASES,
    *packages.CASES,
    *services.CASES,
    *system.CASES,
)
