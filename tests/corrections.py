"""A folder with settings and a catalogue, where a training needs three new rows, and a server whose answers are corrected."""

import csv
import shutil
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from dvc.utils.hydra import apply_overrides

from pipelines.data.prepared import LABELS, SPLITS
from pipelines.paths import CATALOGUE, PARAMS
from serving.records import NAME, Feedback, Recorded, Records

ROOT = Path(__file__).parents[1]
SERVER = Path("server")  # the server's folder
T = 1_800_000_000.0  # time of the first answer, in seconds since 1970


def fill(folder: Path) -> None:
    """Copy what the pipeline reads into an empty folder."""
    (folder / CATALOGUE).parent.mkdir()
    (folder / SERVER).mkdir()
    shutil.copyfile(ROOT / CATALOGUE, folder / CATALOGUE)
    params: dict[str, Any] = yaml.safe_load((ROOT / PARAMS).read_text(encoding="utf-8"))
    params["retraining"] |= {"rows": 3, "pause_hours": 0.0}
    (folder / PARAMS).write_text(yaml.safe_dump(params), encoding="utf-8")


def change(changes: dict[str, str]) -> None:
    """Change params.yaml as a training does."""
    apply_overrides(PARAMS, [f"{key}={value}" for key, value in changes.items()])


def write_csv(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Write a table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_prepared(folder: Path) -> None:
    """Write prepared data with the labels French and Italian, as far as it tells which texts and labels a task has."""
    folder.mkdir(parents=True)
    (folder / LABELS).write_text("French\nItalian\n", encoding="utf-8")
    for split in SPLITS:
        pq.write_table(pa.table({"text": [f"{split} rossi"], "label": ["Italian"]}), folder / f"{split}.parquet")


class Corrections:
    """Feedback on the answers of a server in SERVER."""

    def __init__(self) -> None:
        self._records, self._numbers = Records(SERVER / NAME), count()

    def say(self, right: str, *inputs: str, task: str = "surname") -> None:
        """Say which class would have been the right answer to some inputs."""
        for given, number in zip(inputs, self._numbers, strict=False):
            identity = f"{number:032x}"
            self._records.write([Recorded(identity, 0, task, "1-a", T + number, 0.001, "French", given)])
            assert self._records.judge(Feedback(identity, 0, task, "1-a", T + number + 0.5, right, False, right))
