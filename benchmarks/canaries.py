"""Made-up canaries: how soon the gate withdraws a challenger with a fault, and how often an equal one."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from pipelines.report.record import Figures
from serving.server.trials.attempts import Arm
from serving.server.trials.gate import Gate

SHARES: Final = (0.1, 0.5, 0.9)  # of the requests that a challenger gets
EQUAL, FAULTY = 300, 20  # canaries


@dataclass
class Canary:
    """A made-up canary: which requests the challenger gets, which of them the model refuses, and the time to each answer."""

    challenger: NDArray[np.bool_]
    refused: NDArray[np.bool_]
    seconds: NDArray[np.float64]

    @classmethod
    def drawn(cls, seed: int, share: float, refused: tuple[float, float] = (0.05, 0.05), slower: float | None = None) -> Self:
        """One of 3000 requests: the shares that champion and challenger refuse, and how slow it is.

        Unless it is slower, 2 % of the answers of both stall.
        """
        rng = np.random.default_rng(seed)
        challenger, stalls = rng.random(3000) < share, rng.random(3000) < 0.02
        seconds = 0.01 * np.exp(0.3 * rng.standard_normal(3000)) * np.where(challenger if slower else stalls, slower or 20.0, 1)
        return cls(challenger, rng.random(3000) < np.where(challenger, refused[1], refused[0]), seconds)

    def arm(self, of: NDArray[np.bool_], until: int) -> Arm:
        """How one version did in the first requests, given which of all are its own."""
        mine, refused = of[:until], self.refused[:until]
        return Arm(int(mine.sum()), refused=int((mine & refused).sum()), seconds=self.seconds[:until][mine & ~refused].tolist())

    def withdrawn(self) -> float:
        """The number of requests after which one of the looks withdraws the challenger; infinite if none does."""
        looks = range(60, len(self.challenger) + 1, 60)
        return next((n for n in looks if Gate().crossed(self.arm(~self.challenger, n), self.arm(self.challenger, n))), np.inf)


def simulated() -> Figures:
    """Simulate canaries with each share, which is in the figures' names in percent.

    Returns:
        how many of EQUAL equal challengers are withdrawn; the median number of requests of both versions until one is withdrawn
        that is three times as slow, and until one that fails on 5 % of its requests.
    """
    found = Figures()
    for share in SHARES:
        ends = {
            "slow": [Canary.drawn(seed, share, slower=3.0).withdrawn() for seed in range(FAULTY)],
            "failing": [Canary.drawn(seed, share, refused=(0.0, 0.05)).withdrawn() for seed in range(FAULTY)],
        }
        equal = [Canary.drawn(seed, share).withdrawn() for seed in range(EQUAL)]
        percent = round(100 * share)
        found[f"canary_equal_withdrawn_{percent}"] = float(sum(end < np.inf for end in equal))
        found |= {f"canary_{fault}_requests_{percent}": float(np.median(some)) for fault, some in ends.items()}
    return found | {"canary_equal": float(EQUAL)}
