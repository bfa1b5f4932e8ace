"""A set of ports as a person writes it."""

from __future__ import annotations

from model import bits


def ranges(ports: int, most: int | None = None) -> str:
    """Write ports as `22, 80-90`; of more than `most` intervals the first ones."""
    return ", ".join(f"{low}-{high}" if high > low else str(low) for low, high in bits.to_intervals(ports)[:most])
