"""How much a path loses, and how often a packet must be missing before that does not explain it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

# A packet is missing for another reason than loss where loss would explain it less often than this.
BY_CHANCE = 1e-6
# Nothing is sent more often than this. What loses more than every other packet is no path that anything could use:
# where too little is known of a path, it is taken to lose as many as that.
MOST_SENDS, _WORST, _FEW = 24, 0.5, 30
_STEPS = 48


@dataclass(frozen=True, slots=True)
class Loss:
    """Packets of which it is known what became of them, and how many of those were lost."""

    sent: int = 0
    lost: int = 0

    def __add__(self, other: Loss) -> Loss:
        return Loss(self.sent + other.sent, self.lost + other.lost)

    def __str__(self) -> str:
        return f"{self.share:.0%} of {self.sent:,} packets lost" if self.lost else "no packet lost"

    @property
    def share(self) -> float:
        """Return the part that was lost."""
        return self.lost / self.sent if self.sent else 0.0

    @property
    def worst(self) -> float:
        """Return the greatest loss that is reckoned with; a few packets cannot show that it is greater than usual."""
        return max(_WORST, self.share) if self.sent >= _FEW else _WORST

    def likely(self, rate: float) -> float:
        """
        Return how likely no more than what was lost is lost where a path loses at this rate, as an upper bound.

        It is Chernoff's, exp(-n D(k/n || rate)), which holds for any number of packets.
        """
        if rate <= self.share:
            return 1.0
        kept, lost = self.sent - self.lost, self.lost
        exponent = kept * math.log((1 - rate) / (1 - self.share))
        return math.exp(exponent + (lost * math.log(rate / self.share) if lost else 0.0))

    def chance(self, sends: int) -> float:
        """
        Return an upper bound of the chance that loss alone explains both what is known of the path and that a packet
        is missing which was sent so often: that of the rate which explains it best.
        """
        rate = min((self.lost + sends) / (self.sent + sends), self.worst) if sends else self.share
        return self.likely(rate) * rate**sends

    @property
    def sends(self) -> int:
        """Return how often a packet must have been sent in vain before loss does not explain it."""
        return _sends(self)


@lru_cache(maxsize=65536)
def _sends(loss: Loss) -> int:
    return next((sends for sends in range(1, MOST_SENDS + 1) if loss.chance(sends) < BY_CHANCE), MOST_SENDS + 1)


@lru_cache(maxsize=4096)
def asks(there: Loss, back: Loss) -> int:
    """
    Return how often somebody must have been asked in vain before loss does not explain it, there and back together.
    """
    rates = [
        (there.likely(out) * back.likely(home), out + home - out * home)
        for out in _rates(there)
        for home in _rates(back)
    ]

    def chance(sends: int) -> float:
        return max(likely * rate**sends for likely, rate in rates)

    return next((sends for sends in range(1, MOST_SENDS + 1) if chance(sends) < BY_CHANCE), MOST_SENDS + 1)


def _rates(loss: Loss) -> list[float]:
    least = min(loss.share, loss.worst)
    return [least + (loss.worst - least) * step / _STEPS for step in range(_STEPS + 1)]
