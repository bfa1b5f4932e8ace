"""What a message states, without what is measured anew in every run and states nothing."""

from __future__ import annotations

import re

_NUMBER = r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?"
_TIMES = r"ms|s|min|h|seconds?|minutes?|hours?|days?"
_MEASURED = re.compile(
    rf"{_NUMBER}(?= ?(?:%|(?:{_TIMES}|[KM]i?B|bytes?)\b))"
    # How much of a limit is used; etcd counts its revisions with every write.
    rf"|{_NUMBER}(?= of [\d.,]+ [KMGT]i?B\b)"
    r"|(?<=\brevision )\d+"
)
# When something was, which run it was, and the name that the API gives to a request.
_MOMENT = re.compile(
    r"(?:\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?"
    r"(?: ?(?:[A-Z]{3,5}|Z|[+-]\d\d:?\d\d)\b)?"
    r"|\b\d{8}T\d{6}Z-[a-z_]+(?:-\d+)?"
    r"|\bcsr-[a-z0-9]{5}\b"
)
_SIZE = re.compile(rf"{_NUMBER}(?= ?[GT]i?B\b)")


def statement(message: str) -> str:
    """Return a message without times, moments, names of runs, and what changes with every write to a disk."""
    return _MEASURED.sub("#", _MOMENT.sub("#", message))


def rough(message: str) -> str:
    """Return its statement without large sizes, too: a disk that is a little fuller is no news."""
    return _SIZE.sub("#", statement(message))
