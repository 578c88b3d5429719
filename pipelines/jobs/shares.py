"""How many stages run at the same time, which of them first, and how many cores each may use.

The stage with the longest chain of stages behind it runs first. By its seconds, not by its number of stages: the seconds are
those of `benchmarks.pipeline`, and only their proportions count. A stage's share of the cores is its chain's share of the work
that is left and can run beside it. So a long training that much else waits for gets several cores of many, short stages beside
it get one each, and what nothing can run beside gets all.

A share is rarely a whole number, and a stage cannot begin to use a core that others leave. So it has threads for its share,
rounded up, and the system divides the cores among the threads of all.
"""

import json
from collections.abc import Collection, Hashable, Iterable, Mapping
from contextlib import suppress
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import mean
from typing import Generic, TypeVar

import psutil

from pipelines.stage import threads

MEASURED = Path("benchmarks/results/pipeline.json")
STAGE_BYTES = 2 << 30  # of memory: the largest stage of the default profile takes about as much
# Read by: torch, scikit-learn, Arrow and `pipelines.stage.threads`; joblib; tokenizers.
THREADS = ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT", "RAYON_NUM_THREADS")
LIMITS = [Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")]  # of a container


S = TypeVar("S", bound=Hashable)


class Shares(Generic[S]):
    """The stages of a graph as work to be shared out.

    Args:
        needs: stage -> those that it depends on directly.
        seconds: stage -> how long it takes.
        cores: that all may use together.
        jobs: most stages that run at the same time.

    Attributes:
        chains: stage -> seconds from its begin to the end of the longest chain of stages that it begins.
    """

    def __init__(self, needs: Mapping[S, Iterable[S]], seconds: Mapping[S, float], cores: int, jobs: int) -> None:
        self._seconds, self._cores, self._least = seconds, cores, max(1, cores // jobs)
        order = [*TopologicalSorter(needs).static_order()]
        self._before = dict[S, set[S]]()
        for stage in order:
            self._before[stage] = {*needs[stage]}.union(*(self._before[need] for need in needs[stage]))
        self.chains = {stage: seconds[stage] for stage in order}
        for stage in reversed(order):
            for need in needs[stage]:
                self.chains[need] = max(self.chains[need], seconds[need] + self.chains[stage])

    def share(self, stage: S, left: Collection[S]) -> float:
        """Of the cores, for a stage which begins now: at least an equal one, at most all.

        Args:
            stage: that begins.
            left: the stages that have not ended, those that run among them.
        """
        beside = sum(self._seconds[other] for other in left if other != stage and not self._ordered(stage, other))
        return max(self._least, self._cores * (self.chains[stage] / (self.chains[stage] + beside)))

    def _ordered(self, one: S, other: S) -> bool:
        """Whether one of them has to wait for the other."""
        return one in self._before[other] or other in self._before[one]


def most_jobs() -> int:
    """Stages that this machine can run at the same time: one for each core, if there is memory for so many."""
    return max(1, min(threads(), memory() // STAGE_BYTES))


def memory() -> int:
    """Bytes of memory that this process and all beside it may use."""
    found = [int(psutil.virtual_memory().total)]
    for path in LIMITS:
        with suppress(OSError, ValueError):  # ValueError: "max" stands there, or what is no number
            found.append(int(path.read_text(encoding="ascii")))
    return min(found)


def measured(names: Collection[str], path: Path = MEASURED) -> dict[str, float]:
    """Seconds that each stage took when it was last measured; where it was not, the mean of those that were."""
    figures: dict[str, float] = {}
    with suppress(FileNotFoundError):
        figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
    known = {name: figures[f"{name}_s"] for name in names if f"{name}_s" in figures}
    usual = mean(known.values()) if known else 1.0
    return {name: known.get(name, usual) for name in names}
