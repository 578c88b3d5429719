"""Scheduling: number of parallel stages, their order, and the number of cores for each.

The stage that starts the longest chain of dependent stages (the critical path) runs first. A chain's length is its duration in
seconds, as measured by `benchmarks.pipeline`; only the proportions matter. A stage's share of the cores is the share of its chain
in the remaining work that can run in parallel with it. A long training on the critical path thus gets several of many cores,
short parallel stages get one each, and a stage that nothing can run in parallel with gets all.

A share is rarely a whole number, and a running stage cannot take over cores that others release. Its number of threads is
therefore its share, rounded up, and the operating system divides the cores among all threads. The stage with the longest chain
gets one thread per core: it runs to the end, and its chain may be even longer on a machine other than the measured one.
"""

import json
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from contextlib import suppress
from graphlib import TopologicalSorter
from math import ceil
from pathlib import Path
from statistics import mean
from typing import Generic, TypeVar

import psutil

from pipelines.stage import threads

MEASURED = Path("benchmarks/results/pipeline.json")
STAGE_BYTES = 2 << 30  # memory per stage: about that of the largest stage of the default profile
# Read by torch, scikit-learn, Arrow and `pipelines.stage.threads`; by joblib; by tokenizers.
THREADS = ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT", "RAYON_NUM_THREADS")
LIMITS = [Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")]  # of a container


S = TypeVar("S", bound=Hashable)


class Shares(Generic[S]):
    """Shares of the cores for the stages of a graph.

    Args:
        needs: stage -> its direct dependencies.
        seconds: stage -> its duration.
        cores: number of cores for all stages together.
        jobs: maximum number of parallel stages.

    Attributes:
        chains: stage -> seconds from its start to the end of the longest chain of stages that it starts.
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
        """Number of cores for a stage that starts now: at least an equal share, at most all.

        Args:
            stage: the stage that starts.
            left: the stages that have not ended, including those that run.
        """
        beside = sum(self._seconds[other] for other in self._beside(stage, left))
        return max(self._least, self._cores * (self.chains[stage] / (self.chains[stage] + beside)))

    def threads(self, stage: S, left: Collection[S]) -> int:
        """Number of threads for a stage that starts now; see `share`."""
        if all(self.chains[other] < self.chains[stage] for other in self._beside(stage, left)):
            return self._cores
        return ceil(self.share(stage, left))

    def _beside(self, stage: S, left: Collection[S]) -> Iterator[S]:
        """The remaining stages that can run in parallel with it."""
        return (other for other in left if other != stage and not self._ordered(stage, other))

    def _ordered(self, one: S, other: S) -> bool:
        """Whether one of them depends on the other."""
        return one in self._before[other] or other in self._before[one]


def most_jobs() -> int:
    """Number of stages that this machine can run in parallel: one per core, if memory allows."""
    return max(1, min(threads(), memory() // STAGE_BYTES))


def memory() -> int:
    """Bytes of memory available in total: the machine's, or the container's limit."""
    found = [int(psutil.virtual_memory().total)]
    for path in LIMITS:
        with suppress(OSError, ValueError):  # ValueError: the file says "max", or is not a number
            found.append(int(path.read_text(encoding="ascii")))
    return min(found)


def measured(names: Collection[str], path: Path = MEASURED) -> dict[str, float]:
    """Measured seconds of each stage; for stages without a measurement, the mean of the others."""
    figures: dict[str, float] = {}
    with suppress(FileNotFoundError):
        figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
    known = {name: figures[f"{name}_s"] for name in names if f"{name}_s" in figures}
    usual = mean(known.values()) if known else 1.0
    return {name: known.get(name, usual) for name in names}
