"""Functions that a client runs on the cluster.

A client at ray://host:port has its own server there, which unpickles requests in several threads. This module therefore imports
nothing large: importing torch in two threads at the same time may crash the process.
"""

from typing import TYPE_CHECKING, Any

from pipelines.training.outcome import Outcome

if TYPE_CHECKING:
    from pipelines.settings.params import Params
    from pipelines.training.work import Row, Work


class Progress:
    """An actor that stores the rows of finished epochs."""

    def __init__(self) -> None:
        self._rows: dict[float, Row] = {}

    def add(self, row: "Row") -> None:
        """Add a finished epoch; it may be repeated after a worker was lost."""
        self._rows[row["epoch"]] = row

    def after(self, epoch: float) -> "list[Row]":
        """The rows of later epochs."""
        return [self._rows[number] for number in sorted(self._rows) if number > epoch]


def run(name: str, work: "Work", params: "Params", progress: Any) -> Outcome:
    """See pipelines.training.rank.run_job."""
    from pipelines.training.rank import run_job

    return run_job(name, work, params, progress)


def mark(storage: str, name: str) -> None:
    """Write a file to the storage. Raises OSError if that is not possible."""
    from pyarrow.fs import FileSystem

    system, path = FileSystem.from_uri(storage)
    system.create_dir(f"{path}/{name}")
    with system.open_output_stream(f"{path}/{name}/.mark"):
        pass


def sees(storage: str, name: str) -> bool:
    """Whether this node sees the file that `mark` wrote."""
    from pyarrow.fs import FileSystem

    system, path = FileSystem.from_uri(storage)
    return bool(system.get_file_info(f"{path}/{name}/.mark").is_file)


def forget(storage: str, name: str) -> None:
    """Remove a finished job's checkpoints."""
    from pyarrow.fs import FileSystem

    system, path = FileSystem.from_uri(storage)
    system.delete_dir(f"{path}/{name}")
