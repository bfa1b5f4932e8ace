"""Network namespaces of a test process."""

from __future__ import annotations

import os
import subprocess


def add(letter: str) -> str:
    """
    Make a namespace of this process alone and return its name; one that a killed process of this number left is taken
    away first.
    """
    name = f"mf{os.getpid()}{letter}"
    remove(name)
    subprocess.run(("ip", "netns", "add", name), check=True)
    return name


def remove(name: str) -> None:
    """Take a namespace away, if there is one."""
    subprocess.run(("ip", "netns", "del", name), check=False, capture_output=True)
