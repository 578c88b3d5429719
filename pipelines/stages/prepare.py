"""Stage `prepare`: turn a raw data set into checked splits and a vocabulary. `python -m pipelines.stages.prepare TASK`."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from models.text.json_files import write_json
from pipelines.data.catalogue import find_data_set, load_catalogue
from pipelines.data.preparing import prepare
from pipelines.data.reading.rows import sources_of
from pipelines.data.series.source import Series, read_series
from pipelines.kinds import parts
from pipelines.paths import CATALOGUE, METRICS, PREPARED, RAW
from pipelines.settings.params import load_params
from pipelines.settings.tasks import SeriesTask, TextTask
from pipelines.stage import rounded, run_stage


def prepare_series(task: SeriesTask, series: Sequence[Series], folder: Path) -> dict[str, float]:
    """Write the windows of each split into a folder, which is replaced if it exists.

    Returns:
        statistics.

    Raises:
        StageError: the series do not fit the task.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return parts.series_data(task).write(task, series, folder)


def main(name: str) -> None:
    """Write data/prepared/TASK and metrics/data/TASK.json."""
    params = load_params()
    task = params.task(name)
    data_set, raw, folder = find_data_set(load_catalogue(CATALOGUE), task.data.set), RAW / task.data.set, PREPARED / name
    match task:
        case SeriesTask():
            statistics = prepare_series(task, read_series(data_set, task.data.set, raw), folder)
        case TextTask():
            statistics = prepare(task, sources_of(data_set, task.data.set), raw, folder, params.seed)
        case _:
            raise TypeError(f"{type(task).__name__} is neither a TextTask nor a SeriesTask")
    write_json(METRICS / "data" / f"{name}.json", rounded(statistics))


if __name__ == "__main__":
    run_stage(main)
