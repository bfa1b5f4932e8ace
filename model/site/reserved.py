"""Words that have a meaning where a host's name stands, and so can be none."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from model.base import Name
from model.site.rows import WORDS

# Who stands in reports beside hosts; what readers of YAML, rules and name servers take for something else.
_REPORTS = frozenset({"controller", "all", "any", "none", "anywhere", "localhost"})
_NO_TEXTS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def free(name: str) -> str:
    """Return a name that a host may have. Raises `PydanticCustomError` for a word that means something else."""
    if name in WORDS | _REPORTS | _NO_TEXTS:
        raise PydanticCustomError("reserved_name", "is a word that ports.yaml, reports or YAML use for something else")
    return name


HostName = Annotated[Name, AfterValidator(free)]
