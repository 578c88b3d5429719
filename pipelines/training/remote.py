"""What a client asks of the cluster.

A client at ray://host:port has a server of its own there, which unpickles what is asked, several things at once. This module
imports nothing large, so that it can: torch, imported in two threads at once, may end the process.
"""

from typing import TYPE_CHECKING, Any

from pipelines.training.outcome import Outcome

if TYPE_CHECKING:
    from pipelines.params import Params
    from pipelines.training.fit import Row


class Progress:
    """An actor that has the rows of finished epochs until they are asked for."""

    def __init__(self) -> None:
        self._rows: dict[float, Row] = {}

    def add(self, row: "Row") -> None:
        """An epoch is finished; perhaps again, after a worker was lost."""
        self._rows[row["epoch"]] = row

    def after(self, epoch: float) -> "list[Row]":
        """The rows of later epochs."""
        return [self._rows[number] for number in sorted(self._rows) if number > epoch]


def run(name: str, task: str, params: "Params", progress: Any) -> Outcome:
    """See pipelines.training.rank.run_job."""
    from pipelines.training.rank import run_job

    return run_job(name, task, params, progress)


def mark(storage: str, name: str) -> None:
    """Leave a file in the storage. Raises OSError where that is not possible."""
    from pyarrow.fs import FileSystem

    system, path = FileSystem.from_uri(storage)
    system.create_dir(f"{path}/{name}")
    with system.open_output_stream(f"{path}/{name}/.mark"):
        pass


def sees(storage: str, name: str) -> bool:
    """Whether this node finds what `mark` left."""
    from pyarrow.fs import FileSystem

    system, path = FileSystem.from_uri(storage)
    return bool(system.get_file_info(f"{path}/{name}/.mark").is_file)


def forget(storage: str, name: str) -> None:
    """Remove a finished job's checkpoints."""
    from pyarrow.fs import FileSystem

    system, path = FileSystem.from_uri(storage)
    system.delete_dir(f"{path}/{name}")
