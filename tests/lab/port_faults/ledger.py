"""What a series of faults came to: counted by what was done, for a person and for docs/benchmarks.md."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.port_faults.judging import CULPRIT, GREEN, RED, RULE
from tests.lab.port_faults.trying import Trial

_WRONG = (GREEN, RED, CULPRIT, RULE)
BROKE = "broke off"


@dataclass(slots=True)
class Ledger:
    """Trials of one seed; `broken_off` are faults whose trial did not come to its end, with the reason."""

    seed: int
    asked: int
    trials: list[Trial] = field(default_factory=list)
    broken_off: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """Every wrong word, with the fault that it was said of: who reads it can try that one again."""
        said = [f"{trial.fault}\n    {line}" for trial in self.trials for line in trial.judgement.wrong[:3]]
        return [*said, *self.broken_off]

    @property
    def figures(self) -> dict[str, Any]:
        """Counts, as JSON."""
        judged = [trial.judgement for trial in self.trials]
        runs = Counter(trial.fault.verdict for trial in self.trials)
        return {
            "seed": self.seed,
            "asked": self.asked,
            "runs": len(self.trials),
            "runs that change anything": sum(1 for judgement in judged if judgement.deviating),
            "places right": sum(judgement.right for judgement in judged),
            "places unproven": sum(judgement.unproven for judgement in judged),
            "places behind a border": sum(judgement.hidden for judgement in judged),
            "runs by verdict": dict(sorted(runs.items())),
            **{word: self._runs_with(word) for word in _WRONG},
            BROKE: len(self.broken_off),
        }

    def write(self, path: str) -> None:
        """Write figures and trials, if anybody wants them."""
        if path:
            trials = [_trial(trial) for trial in self.trials]
            Path(path).write_text(json.dumps({**self.figures, "trials": trials}, indent=1) + "\n", "utf-8")

    def _runs_with(self, word: str) -> int:
        return sum(1 for trial in self.trials if any(line.startswith(word) for line in trial.judgement.wrong))

    def __str__(self) -> str:
        return "; ".join(f"{name} {value}" for name, value in self.figures.items())


def _trial(trial: Trial) -> dict[str, Any]:
    judgement = trial.judgement
    told: Sequence[str] = judgement.wrong
    return {
        "fault": json.loads(str(trial.fault)),
        "deviating": judgement.deviating,
        "right": judgement.right,
        "unproven": judgement.unproven,
        "wrong": list(told),
        "seconds": dict(trial.seconds),
    }
