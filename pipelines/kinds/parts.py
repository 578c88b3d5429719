"""The parts of a kind of task, one module each. Loaded on demand, so that no stage imports the dependencies of others."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from torch import nn

    from pipelines.data.reading.source import Clean, Row, RowSource
    from pipelines.data.series.source import Series
    from pipelines.data.writing import Divided
    from pipelines.evaluation.findings import Report
    from pipelines.evaluation.scores import Scores
    from pipelines.onnx_export.graph import Graph
    from pipelines.settings.tasks import SeriesTask, Task, TextTask
    from pipelines.store import Rows


class SeriesData(Protocol):
    """`data` of a kind that reads series."""

    def write(self, task: Any, series: "Sequence[Series]", folder: Path) -> dict[str, float]:
        """Check the series and write the windows of each split.

        Args:
            task: the task's block.
            series: of its data set.
            folder: to write into.

        Returns:
            statistics.

        Raises:
            StageError: the series do not meet the task's requirements.
        """


class Data(Protocol):
    """`data` of a kind that reads rows of texts: from raw rows to splits.

    Attributes:
        COLUMNS: the columns to keep.
        KEYS: the columns that identify duplicates: no such text is in two splits.
    """

    COLUMNS: tuple[str, ...]
    KEYS: tuple[str, ...]

    def rows(self, task: Any, source: "RowSource", raw: Path) -> "Iterator[Row]":
        """The rows of one source.

        Args:
            task: the task's block.
            source: a source of its data set.
            raw: the download stage's output for that data set.

        Raises:
            StageError: the source is invalid, or not suitable for this task.
        """

    def cleaner(self, task: Any, sample: "Sequence[Row]") -> "Clean":
        """The function that cleans a row, or returns a short reason for dropping it.

        Args:
            task: the task's block.
            sample: the first raw rows.
        """

    def write(self, task: Any, divided: "Divided", folder: Path) -> dict[str, float]:
        """Learn a tokenizer and write texts and ids.

        Args:
            task: the task's block.
            divided: the rows.
            folder: to write into.

        Returns:
            statistics.
        """


class Model(Protocol):
    """`model`: the network that is trained and exported."""

    def build(self, task: Any, prepared: Path) -> "nn.Module":
        """The model with random weights; the prepared tokenizer and labels determine its input and output sizes."""


class Training(Protocol):
    """`training`: steps before and after the training loop."""

    def begin(self, model: "nn.Module", task: Any, prepared: Path, train: "Rows") -> None:
        """Initialize everything that is computed from data, such as pretrained vectors.

        Raises:
            ValueError: the data does not fit the model.
        """

    def finish(self, model: "nn.Module", task: Any, valid: "Rows") -> None:
        """Set the trained model's buffers that are computed from data, such as a temperature."""


class Graphs(Protocol):
    """`graphs`: the ONNX graphs to export."""

    def graphs(self, model: "nn.Module", task: Any) -> "list[Graph]":
        """The graphs of the model."""

    def description(self, model: "nn.Module", task: Any, prepared: Path) -> dict[str, Any]:
        """The keys of `bundle.json` that are specific to the kind."""


class Evaluation(Protocol):
    """`evaluation`: scores of the exported model and of baselines."""

    STATED: tuple[str, ...]  # statistics of the prepare stage to report with the scores

    def evaluate(self, bundle: Path, prepared: Path, task: Any, seed: int) -> "Report":
        """Measure the exported model on the test split.

        Args:
            bundle: the exported model.
            prepared: the prepare stage's output.
            task: the task's block.
            seed: of all random choices.

        Raises:
            BundleError: a bundle is missing or damaged.
        """

    def score(self, bundle: Path, prepared: Path, task: Any) -> "Scores":
        """Score each test row, for a comparison with another model on the same rows.

        Args:
            bundle: the exported model.
            prepared: the prepare stage's output.
            task: the task's block.

        Raises:
            BundleError: a bundle is missing or damaged.
            StageError: the model was made for rows of another form.
        """


class Lineage(Protocol):
    """`lineage`: what a model of this kind is trained on, row by row."""

    def training_rows(self, prepared: Path, task: Any) -> Iterator[tuple[str, str]]:
        """The input and the answer of each training row; the answer is empty if there is none.

        Args:
            prepared: the prepare stage's output.
            task: the task's block.
        """


class Showing(Protocol):
    """`showing`: example requests and reference inputs that an archive contains."""

    def requests(self, task: Any, prepared: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        """A title and a request for each example; the first is shown if there is room for only one."""

    def typical(self, prepared: Path) -> list[Any]:
        """Inputs like the training rows, if possible from held-out ones; empty if requests do not resemble them."""


def data(task: "TextTask") -> Data:
    """See the class."""
    return cast(Data, _part(task, "data"))


def series_data(task: "SeriesTask") -> SeriesData:
    """See the class."""
    return cast(SeriesData, _part(task, "data"))


def model(task: "Task") -> Model:
    """See the class."""
    return cast(Model, _part(task, "model"))


def training(task: "Task") -> Training:
    """See the class."""
    return cast(Training, _part(task, "training"))


def graphs(task: "Task") -> Graphs:
    """See the class."""
    return cast(Graphs, _part(task, "graphs"))


def evaluation(task: "Task") -> Evaluation:
    """See the class."""
    return cast(Evaluation, _part(task, "evaluation"))


def lineage(task: "Task") -> Lineage:
    """See the class."""
    return cast(Lineage, _part(task, "lineage"))


def showing(task: "Task") -> Showing:
    """See the class."""
    return cast(Showing, _part(task, "showing"))


def build(task: "Task", prepared: Path) -> "nn.Module":
    """The model of a task with fresh random weights, see `Model.build`."""
    return model(task).build(task, prepared)


def _part(task: "Task", name: str) -> object:
    return import_module(f"{__package__}.{task.kind}.{name}")
