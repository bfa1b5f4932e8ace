"""Modules that boot labs boot each its own: whoever takes a lab of this name down ends another's."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

_BOOTS = re.compile(r"\b(?:booted|running|managed_lab|_up)\(\"(\w+)\"")


def test_no_two_modules_boot_a_lab_of_one_name() -> None:
    texts = [path.read_text("utf-8") for path in Path(__file__).parent.glob("*.py")]
    names = Counter(name for text in texts for name in set(_BOOTS.findall(text)))
    assert {"tl", "tv", "co"} <= names.keys()
    assert [name for name, modules in names.items() if modules > 1] == []
