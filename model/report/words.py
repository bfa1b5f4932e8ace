"""The closed words of a report's cells: plane, state of a port, verdict, culprit; and the stage of a deployment."""

from __future__ import annotations

from enum import StrEnum


class Plane(StrEnum):
    """Where a flow travels: between hosts, from or to pods, across the perimeter."""

    HOST = "host"
    POD = "pod"
    EXTERNAL = "external"


class PortState(StrEnum):
    """What is expected of a port (open or closed), and what was seen of it."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class CellVerdict(StrEnum):
    """What comes of laying what was seen beside what is expected."""

    OK = "ok"
    VIOLATION = "violation"
    UNPROVEN = "unproven"
    NOT_RUN = "not_run"
    WAIVED = "waived"


class Culprit(StrEnum):
    """Where to look when a cell is not ok; empty when it is."""

    NONE = ""
    SOURCE_EGRESS = "source-egress"
    PATH = "path"
    DESTINATION_FIREWALL = "destination-firewall"
    NAT = "nat"
    LISTENER = "listener"
    WRONG_PROCESS = "wrong-process"
    WITNESS = "witness"
    SOURCE = "source"
    MODEL = "model"


class Stage(StrEnum):
    """How far the deployment is: told by what listens, or said by hand (`--stage`)."""

    AUTO = "auto"
    BEFORE = "before"
    AFTER = "after"
