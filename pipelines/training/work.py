"""A stage's training as a serializable job, which can run locally or on a cluster."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from numpy.typing import NDArray

from pipelines.paths import CHECKPOINTS
from pipelines.settings.params import Params
from pipelines.stage import StageError

if TYPE_CHECKING:
    from pipelines.training.world import World

Row = dict[str, float]  # of one epoch: its number as `epoch`, and its metrics
Report = Callable[[Row], None]


class Learned(NamedTuple):
    """The weights by name, and a row per epoch."""

    weights: dict[str, NDArray[Any]]
    history: list[Row]


class Learner(Protocol):
    """Interface of a module that trains."""

    def learn(self, name: str, params: Params, checkpoints: Path, report: Report, world: "World | None") -> Learned:
        """Train to the end, resuming from the last epoch in `checkpoints` if it exists.

        Args:
            name: name of the task or method.
            params: see params.yaml.
            checkpoints: folder for the checkpoints of this job alone.
            report: called with the row of each finished epoch, once its checkpoint is written.
            world: the ranks that share the work; if None, this process decides.

        Raises:
            ValueError: settings, data and device are incompatible, or the loss is no longer finite.
            FloatingPointError: the same.
        """


@dataclass(frozen=True)
class Work:
    """A training job.

    Attributes:
        name: name of the task or method.
        learner: name of a module that is a Learner.
        data: folder of the training data.
        identity: unique id of these settings, data and code.
        shared: whether several ranks can share it.
        on_gpu: whether it can use a GPU.
    """

    name: str
    learner: str
    data: Path
    identity: str
    shared: bool = True
    on_gpu: bool = True

    def learn(self, params: Params, checkpoints: Path, report: Report, world: "World | None" = None) -> Learned:
        """See Learner."""
        return cast(Learner, import_module(self.learner)).learn(self.name, params, checkpoints, report, world)


def learned(work: Work, params: Params, report: Report) -> Learned:
    """Train locally, or on the cluster at RAY_ADDRESS if it is set.

    Raises:
        StageError: see Learner and `learn_on_cluster`.
    """
    try:
        if address := os.environ.get("RAY_ADDRESS"):
            from pipelines.training.cluster import learn_on_cluster

            return learn_on_cluster(address, work, params, report)
        return work.learn(params, CHECKPOINTS / work.name / work.identity, report)
    except (ValueError, FloatingPointError) as error:
        raise StageError(f"{work.name}: {error}") from error
