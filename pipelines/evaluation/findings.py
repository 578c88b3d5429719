"""The results of an evaluation, independent of where they are written."""

import csv
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.stage import rounded

if TYPE_CHECKING:  # most reports have no figure
    from matplotlib.figure import Figure

    from pipelines.evaluation.scores import Scores

Table = Sequence[Mapping[str, str | int | float]]


@dataclass(frozen=True)
class Report:
    """The results of one evaluation.

    Attributes:
        metrics: name -> a number, or a string that says how numbers were computed.
        tables: file name ending in .csv or .tsv -> rows, all with the same columns; at least one row.
        figures: file name ending in .png, optionally with a folder -> figure.
        scores: of each row, for the interval of their mean; None if the metrics have intervals already.
    """

    metrics: Mapping[str, float | str]
    tables: Mapping[str, Table]
    figures: Mapping[str, "Figure"] = field(default_factory=dict)
    scores: "Scores | None" = None

    def interval(self, seed: int) -> dict[str, float]:
        """The mean score with its 95 % interval as metrics: NAME, NAME_low and NAME_high."""
        if self.scores is None:
            return {}
        mean, low, high = self.scores.interval(seed)
        return {self.scores.name: mean, f"{self.scores.name}_low": low, f"{self.scores.name}_high": high}

    def write_plots(self, folder: Path) -> None:
        """Write tables and figures into `folder`, replacing those of an earlier run."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, table in self.tables.items():
            _write_table(folder / name, table)
        for name, figure in self.figures.items():
            (folder / name).parent.mkdir(exist_ok=True)
            figure.savefig(folder / name, bbox_inches="tight")


def _write_table(path: Path, table: Table) -> None:
    delimiter = {".csv": ",", ".tsv": "\t"}[path.suffix]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rounded(row) for row in table)
